"""Ghost text, as an editor asks for it and gets it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lsp.raw_client import CAPABILITIES, URI, LocalServer


def _at(line: int, character: int, *, kind: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "textDocument": {"uri": URI},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": kind, **more},
    }


def _range(line: int, start: int, end: int) -> dict[str, Any]:
    return {
        "start": {"line": line, "character": start},
        "end": {"line": line, "character": end},
    }


async def _ask(client: LocalServer, params: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await client.ask("textDocument/inlineCompletion", params)
    items = answer["items"]
    assert isinstance(items, list)
    return items


async def _completions(client: LocalServer) -> list[list[Any]]:
    events = await client.command("test.events")
    return [event[1:] for event in events if event[0] == "complete"]


async def test_the_server_announces_ghost_text_and_incremental_sync(client: LocalServer) -> None:
    capabilities = (await client.initialize())["capabilities"]
    assert capabilities["inlineCompletionProvider"] == {}
    assert capabilities["textDocumentSync"]["change"] == 2
    assert capabilities["textDocumentSync"]["openClose"] is True
    assert "completionProvider" not in capabilities
    assert {"ringfence.status", "ringfence.accepted"} <= set(
        capabilities["executeCommandProvider"]["commands"]
    )
    await client.shut_down()


async def test_an_item_replaces_what_was_typed_and_carries_a_command(ready: LocalServer) -> None:
    ready.open("x = fo\n")
    (item,) = await _ask(ready, _at(0, 6))
    assert item["insertText"] == "fo😀 done\n    more()"
    assert item["range"] == _range(0, 4, 6)
    assert item["command"]["command"] == "ringfence.accepted"
    assert item["command"]["title"]
    await ready.shut_down()


@pytest.mark.parametrize(("encoding", "factor"), [("utf-8", 4), ("utf-16", 2), ("utf-32", 1)])
async def test_positions_are_in_the_clients_units_both_ways(
    client: LocalServer, encoding: str, factor: int
) -> None:
    capabilities = {**CAPABILITIES, "general": {"positionEncodings": [encoding]}}
    result = await client.initialize(capabilities)
    assert result["capabilities"]["positionEncoding"] == encoding
    client.open("😀😀 fo")
    (item,) = await _ask(client, _at(0, 2 * factor + 3))
    assert item["range"] == _range(0, 2 * factor + 1, 2 * factor + 3)
    assert (await _completions(client))[0][2] == [0, 5]
    await client.shut_down()


async def test_the_text_is_taken_before_later_changes(ready: LocalServer) -> None:
    change = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": [{"text": "later"}]}
    item = {"uri": URI, "languageId": "python", "version": 1, "text": "early"}
    ready.send(
        {"method": "textDocument/didOpen", "params": {"textDocument": item}},
        {"id": "x", "method": "textDocument/inlineCompletion", "params": _at(0, 5)},
        {"method": "textDocument/didChange", "params": change},
    )
    await ready.result("x")
    assert await _completions(ready) == [[1, "early", [0, 5], "invoked"]]
    await ready.shut_down()


async def test_the_text_is_taken_before_later_changes_while_the_application_starts(
    client: LocalServer,
) -> None:
    await client.initialize()
    client.open("early")
    request = client.request("textDocument/inlineCompletion", _at(0, 5, kind=2))
    client.change("later")
    assert len((await client.result(request))["items"]) == 1
    assert await _completions(client) == [[1, "early", [0, 5], "automatic"]]
    await client.shut_down()


async def test_an_item_extends_the_selected_entry_in_its_range(ready: LocalServer) -> None:
    ready.open("os.pa")
    selected = {"range": _range(0, 3, 5), "text": "path"}
    items = await _ask(ready, _at(0, 5, selectedCompletionInfo=selected))
    assert [(item["insertText"], item["range"]) for item in items] == [("path()", _range(0, 3, 5))]
    # The first candidate is the one that is kept, so acceptance names it.
    assert items[0]["command"]["arguments"][1] == 0
    await ready.shut_down()


async def test_an_empty_answer_has_a_reason_in_the_log(
    ready: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ringfence")
    ready.open("nothing")
    assert await _ask(ready, _at(0, 0)) == []
    assert "No completion (nothing): The model had nothing to say." in caplog.text
    await ready.shut_down()


async def test_a_document_that_is_not_open_is_never_read_from_disk(
    ready: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ringfence")
    params = {**_at(0, 0), "textDocument": {"uri": f"file://{__file__}"}}
    assert await _ask(ready, params) == []
    assert await _completions(ready) == []
    assert "not open" in caplog.text
    await ready.shut_down()


async def test_an_excluded_document_is_said_to_be_so(ready: LocalServer) -> None:
    ready.open("key", uri="file:///project/key.pem")
    params = {**_at(0, 0), "textDocument": {"uri": "file:///project/key.pem"}}
    assert await _ask(ready, params) == []
    await ready.shut_down()


async def test_a_request_for_another_version_is_stale(
    ready: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "ringfence")
    ready.open("text", version=7)
    stale = {**_at(0, 0), "textDocument": {"uri": URI, "version": 6}}
    assert await _ask(ready, stale) == []
    assert "No completion (stale)" in caplog.text
    fresh = {**_at(0, 0), "textDocument": {"uri": URI, "version": 7}}
    assert len(await _ask(ready, fresh)) == 1
    await ready.shut_down()


async def test_fields_of_newer_clients_are_no_error(ready: LocalServer) -> None:
    ready.open("text")
    params = {**_at(0, 4), "formattingOptions": {"tabSize": 4, "insertSpaces": True}, "x": [1]}
    assert len(await _ask(ready, params)) == 1
    await ready.shut_down()


async def test_an_internal_error_gives_no_ghost_text_and_one_message(
    ready: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    ready.open("crash")
    for _ in range(3):
        assert await _ask(ready, _at(0, 0)) == []
    message = (await ready.call("window/showMessage"))["params"]["message"]
    reference = message.partition("see ")[2].partition(" in")[0]
    assert reference.isalnum()
    assert f"A completion failed (reference {reference})." in caplog.text
    assert b"/home/" not in ready.received
    await ready.shut_down()


async def test_acceptance_is_reported_by_the_items_command(ready: LocalServer) -> None:
    ready.open("x = fo")
    (item,) = await _ask(ready, _at(0, 6))
    await ready.command(item["command"]["command"], *item["command"]["arguments"])
    assert ["accepted", "answer-1", 0, None] in await ready.command("test.events")
    await ready.shut_down()


async def test_copilots_notifications_report_showing_and_partial_acceptance(
    ready: LocalServer,
) -> None:
    ready.open("x = fo")
    (item,) = await _ask(ready, _at(0, 6))
    # Clients may send the command back without its title, which lsprotocol refuses.
    del item["command"]["title"]
    ready.notify("textDocument/didShowCompletion", {"item": item})
    ready.notify("textDocument/didPartiallyAcceptCompletion", {"item": item, "acceptedLength": 3})
    events = await ready.command("test.events")
    assert events[-2:] == [["shown", "answer-1", 0], ["accepted", "answer-1", 0, 3]]
    await ready.shut_down()


async def test_status_tells_of_server_and_application(ready: LocalServer) -> None:
    status = await ready.command("ringfence.status")
    assert status["answers"] == 0
    assert status["server"]["encoding"] == "utf-16"
    assert status["server"]["capabilities"]["inline_completion"] is True
    await ready.shut_down()
