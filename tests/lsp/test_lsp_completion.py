"""Completions in the editor's list, for clients without ghost text."""

from __future__ import annotations

from typing import Any

import pytest

from ringfence.lsp import completion
from tests.lsp.raw_client import CAPABILITIES, URI, LocalServer

_WITHOUT_GHOST_TEXT: dict[str, Any] = {
    "textDocument": {"completion": {"completionItem": {"insertTextModeSupport": {"valueSet": [1]}}}}
}
_PARAMS = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 6}}


async def test_a_client_without_ghost_text_is_offered_completion(client: LocalServer) -> None:
    capabilities = (await client.initialize(_WITHOUT_GHOST_TEXT))["capabilities"]
    assert "completionProvider" in capabilities
    await client.shut_down()


async def test_a_client_that_announces_ghost_text_as_null_has_it(client: LocalServer) -> None:
    capabilities = (await client.initialize({"textDocument": {"inlineCompletion": None}}))[
        "capabilities"
    ]
    assert "completionProvider" not in capabilities
    await client.shut_down()


@pytest.mark.parametrize(
    ("setting", "capabilities", "offered"),
    [
        ("on", CAPABILITIES, True),
        ("off", _WITHOUT_GHOST_TEXT, False),
        ("auto", CAPABILITIES, False),
        ("auto", _WITHOUT_GHOST_TEXT, True),
        (7, _WITHOUT_GHOST_TEXT, True),
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
async def test_the_setting_decides(
    client: LocalServer, setting: Any, capabilities: Any, offered: bool, wrapped: bool
) -> None:
    options: Any = {"completionFallback": setting}
    if wrapped:
        options = {"ringfence": options}
    result = await client.initialize(capabilities, initializationOptions=options)
    assert ("completionProvider" in result["capabilities"]) is offered
    await client.shut_down()


async def test_the_users_configuration_can_turn_it_off(client: LocalServer) -> None:
    await client.initialize(_WITHOUT_GHOST_TEXT)
    client.open("x = fo")
    application: Any = await client.session.application()
    application.completion_fallback = "off"
    answer = await client.ask("textDocument/completion", _PARAMS)
    assert answer["items"] == []
    await client.shut_down()


async def test_an_entry_follows_the_rules_of_popups(client: LocalServer) -> None:
    await client.initialize(_WITHOUT_GHOST_TEXT)
    client.open("x = fo")
    answer = await client.ask("textDocument/completion", _PARAMS)
    assert answer["isIncomplete"] is True
    (item,) = answer["items"]
    text = "fo😀 done\n    more()"
    assert item["label"] == "fo😀 done"
    assert item["documentation"] == text
    assert item["textEdit"] == {
        "range": {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 6}},
        "newText": text,
    }
    assert item["filterText"].startswith("fo")
    assert item["insertTextFormat"] == 1
    assert item["insertTextMode"] == 1
    assert "preselect" not in item
    assert item["command"]["command"] == "ringfence.accepted"
    await client.shut_down()


async def test_an_entry_takes_in_the_whole_word_before_the_cursor(client: LocalServer) -> None:
    await client.initialize({"textDocument": {}})
    client.open("wörd")
    await client.command("ringfence.status")
    from ringfence.completion.values import Candidate
    from ringfence.context.document import Position
    from ringfence.lsp.completion_requests import Cursor

    (document,) = client.session.documents()
    cursor = Cursor(document, Position(0, 4))
    item = completion.completion_item(
        client.session, cursor, Candidate("s = 1\n", Position(0, 4), Position(0, 4))
    )
    edit: Any = item.text_edit
    assert (edit.range.start.character, edit.new_text) == (0, "wörds = 1\n")
    assert item.filter_text == "wörds = 1"
    assert item.label == "s = 1"
    assert item.insert_text_mode is None
    await client.shut_down()


async def test_a_popup_does_not_wait_beyond_the_deadline(
    client: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completion, "DEADLINE_SECONDS", 0.05)
    await client.initialize(_WITHOUT_GHOST_TEXT)
    client.open("hang")
    await client.command("ringfence.status")
    answer = await client.ask("textDocument/completion", _PARAMS)
    assert answer == {"isIncomplete": True, "items": []}
    events = await client.command("test.events")
    assert ["cancelled completion", 1] in events
    await client.shut_down()
