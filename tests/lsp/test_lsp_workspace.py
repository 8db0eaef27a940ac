"""Folders and settings reach the ring, and what cannot be read keeps code on the device."""

from __future__ import annotations

from typing import Any

import pytest

from ringfence.lsp import editor_settings
from tests.lsp.raw_client import URI, LocalServer

_FOLDERS = [{"uri": "file:///one", "name": "one"}, {"uri": "file:///two", "name": "two"}]
_PULL: dict[str, Any] = {
    "textDocument": {"inlineCompletion": {}},
    "workspace": {"configuration": True, "workspaceFolders": True},
}
_INLINE = {
    "textDocument": {"uri": URI},
    "position": {"line": 0, "character": 0},
    "context": {"triggerKind": 1},
}


async def _limits(client: LocalServer) -> dict[str, str | None]:
    events = await client.command("test.events")
    return {event[1]: event[2] for event in events if event[0] == "allow"}


async def _folders(client: LocalServer) -> list[str]:
    events = await client.command("test.events")
    folders: list[list[str]] = [event[1] for event in events if event[0] == "folders"]
    return folders[-1]


async def test_folders_are_known_to_the_ring(client: LocalServer) -> None:
    await client.initialize(workspaceFolders=_FOLDERS)
    assert await _folders(client) == ["file:///one", "file:///two"]
    added = {"added": [{"uri": "file:///three", "name": "three"}], "removed": [_FOLDERS[0]]}
    client.notify("workspace/didChangeWorkspaceFolders", {"event": added})
    assert await _folders(client) == ["file:///two", "file:///three"]
    await client.shut_down()


async def test_a_root_without_folders_is_a_folder(client: LocalServer) -> None:
    await client.initialize(rootUri="file:///root")
    assert await _folders(client) == ["file:///root"]
    await client.shut_down()


async def test_each_folder_gets_the_settings_of_its_scope(client: LocalServer) -> None:
    await client.initialize(_PULL, workspaceFolders=_FOLDERS)
    asked = await client.call("workspace/configuration")
    assert asked["params"]["items"] == [
        {"scopeUri": "file:///one", "section": "ringfence"},
        {"scopeUri": "file:///two", "section": "ringfence"},
    ]
    client.respond(asked, [{"allow": "cloud"}, {"allow": None}])
    assert await _limits(client) == {"file:///one": "cloud", "file:///two": None}
    # The answers are kept: nothing is asked again.
    await client.command("ringfence.status")
    await client.shut_down()


async def test_a_completion_waits_for_the_settings(client: LocalServer) -> None:
    await client.initialize(_PULL, workspaceFolders=_FOLDERS)
    client.open("text")
    request = client.request("textDocument/inlineCompletion", _INLINE)
    asked = await client.call("workspace/configuration")
    application = client.session.application_if_ready()
    assert application is None
    client.respond(asked, [None, None])
    await client.result(request)
    events = await client.command("test.events")
    assert [event[0] for event in events] == ["started", "folders", "allow", "allow", "complete"]
    await client.shut_down()


async def test_changed_settings_are_asked_for_again(client: LocalServer) -> None:
    await client.initialize(_PULL, workspaceFolders=_FOLDERS[:1])
    client.respond(await client.call("workspace/configuration"), [{"allow": "cloud"}])
    assert await _limits(client) == {"file:///one": "cloud"}
    client.notify("workspace/didChangeConfiguration", {"settings": None})
    request = client.start_command("test.events")
    client.respond(await client.call("workspace/configuration"), [{"allow": "device"}])
    assert ["allow", "file:///one", "device"] in await client.result(request)
    await client.shut_down()


@pytest.mark.parametrize("answer", [["text"], [[1]], [], None, [None, None], [{"allow": "moon"}]])
async def test_settings_that_cannot_be_read_limit_to_the_device(
    client: LocalServer, answer: Any
) -> None:
    await client.initialize(_PULL, workspaceFolders=_FOLDERS[:1])
    client.respond(await client.call("workspace/configuration"), answer)
    assert await _limits(client) == {"file:///one": "device"}
    await client.shut_down()


async def test_a_client_that_does_not_answer_is_limited_to_the_device(
    client: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editor_settings, "_ANSWER_SECONDS", 0.05)
    await client.initialize(_PULL, workspaceFolders=_FOLDERS[:1])
    await client.call("workspace/configuration")
    assert await _limits(client) == {"file:///one": "device"}
    await client.call("$/cancelRequest")
    await client.shut_down()


async def test_the_strictest_of_options_and_settings_wins(client: LocalServer) -> None:
    await client.initialize(
        _PULL, workspaceFolders=_FOLDERS[:1], initializationOptions={"allow": "network"}
    )
    client.respond(await client.call("workspace/configuration"), [{"allow": "cloud"}])
    assert await _limits(client) == {"file:///one": "network"}
    await client.shut_down()


async def test_settings_that_are_pushed_are_taken(client: LocalServer) -> None:
    await client.initialize(workspaceFolders=_FOLDERS[:1])
    assert await _limits(client) == {"file:///one": None}
    settings = {"ringfence": {"allow": "network"}}
    client.notify("workspace/didChangeConfiguration", {"settings": settings})
    assert await _limits(client) == {"file:///one": "network"}
    await client.shut_down()


async def test_changes_of_settings_are_asked_for_where_that_is_needed(
    client: LocalServer,
) -> None:
    capabilities = {"workspace": {"didChangeConfiguration": {"dynamicRegistration": True}}}
    await client.initialize(capabilities)
    asked = await client.call("client/registerCapability")
    (registration,) = asked["params"]["registrations"]
    assert registration["method"] == "workspace/didChangeConfiguration"
    assert registration["registerOptions"] == {"section": "ringfence"}
    client.respond(asked, None)
    await client.command("ringfence.status")
    await client.shut_down()
