"""Documents follow what the editor sends, notebook cells among them."""

from __future__ import annotations

from typing import Any

import pytest

from ringfence.lsp.documents import EditorWorkspace
from tests.lsp.raw_client import CAPABILITIES, URI, LocalServer


def _texts(client: LocalServer) -> dict[str, str]:
    return {document.uri: document.text for document in client.session.documents()}


def _edit(start: tuple[int, int], end: tuple[int, int], text: str) -> dict[str, Any]:
    place = {
        "start": {"line": start[0], "character": start[1]},
        "end": {"line": end[0], "character": end[1]},
    }
    return {"range": place, "text": text}


async def _edited(client: LocalServer, text: str, *changes: dict[str, Any]) -> str:
    client.open(text)
    params = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": list(changes)}
    client.notify("textDocument/didChange", params)
    await client.command("ringfence.status")
    return _texts(client)[URI]


@pytest.mark.parametrize("separator", ["\f", "\x1c", "\x85", "\u2028"])
async def test_an_edit_below_a_foreign_separator_lands_on_its_line(
    ready: LocalServer, separator: str
) -> None:
    text = f"one{separator}still one\ntwo"
    assert await _edited(ready, text, _edit((1, 0), (1, 3), "2")) == f"one{separator}still one\n2"
    await ready.shut_down()


async def test_an_edit_past_the_end_of_an_unterminated_last_line(ready: LocalServer) -> None:
    assert await _edited(ready, "abc", _edit((0, 1), (0, 99), "!")) == "a!"
    await ready.shut_down()


async def test_an_edit_far_outside_the_document_is_clamped(ready: LocalServer) -> None:
    assert await _edited(ready, "a\nb", _edit((9, 9), (99, 99), "!")) == "a\nb!"
    await ready.shut_down()


async def test_several_changes_apply_one_after_the_other(ready: LocalServer) -> None:
    changes = [_edit((0, 0), (0, 0), "1\n"), _edit((1, 0), (1, 1), "2"), {"text": "3\n"}]
    assert await _edited(ready, "a", *changes, _edit((1, 0), (1, 0), "4")) == "3\n4"
    await ready.shut_down()


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 6), ("utf-16", 3), ("utf-32", 2)])
async def test_columns_count_the_units_that_were_agreed(
    client: LocalServer, encoding: str, column: int
) -> None:
    await client.initialize({**CAPABILITIES, "general": {"positionEncodings": [encoding]}})
    assert await _edited(client, "é😀x", _edit((0, column), (0, column), "|")) == "é😀|x"
    await client.shut_down()


async def test_the_version_and_language_are_kept(ready: LocalServer) -> None:
    await _edited(ready, "a", {"text": "b"})
    (document,) = ready.session.documents()
    assert (document.version, document.language) == (2, "python")
    await ready.shut_down()


async def test_a_request_does_not_change_what_the_client_sent(ready: LocalServer) -> None:
    ready.open("abc")
    await ready.command("ringfence.status")
    workspace = ready.session.workspace
    (document,) = ready.session.documents()
    from lsprotocol import types

    position = types.Position(0, 99)
    assert workspace.from_editor(document, position) == (0, 3)
    assert position == types.Position(0, 99)
    assert isinstance(workspace, EditorWorkspace)
    await ready.shut_down()


async def test_a_closed_document_is_forgotten(ready: LocalServer) -> None:
    ready.open("a")
    ready.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    await ready.command("ringfence.status")
    assert _texts(ready) == {}
    await ready.shut_down()


async def test_notebook_cells_are_documents(ready: LocalServer) -> None:
    cells = ["notebook-cell:/n.ipynb#1", "notebook-cell:/n.ipynb#2"]

    def cell_item(uri: str, text: str) -> dict[str, Any]:
        return {"uri": uri, "languageId": "python", "version": 1, "text": text}

    notebook = {
        "uri": "file:///n.ipynb",
        "notebookType": "jupyter-notebook",
        "version": 1,
        "cells": [{"kind": 2, "document": cells[0]}],
    }
    ready.notify(
        "notebookDocument/didOpen",
        {"notebookDocument": notebook, "cellTextDocuments": [cell_item(cells[0], "x = fo")]},
    )
    structure = {
        "array": {"start": 1, "deleteCount": 0, "cells": [{"kind": 2, "document": cells[1]}]},
        "didOpen": [cell_item(cells[1], "second")],
    }
    content = {
        "document": {"uri": cells[0], "version": 2},
        "changes": [_edit((0, 6), (0, 6), "o")],
    }
    ready.notify(
        "notebookDocument/didChange",
        {
            "notebookDocument": {"uri": "file:///n.ipynb", "version": 2},
            "change": {"cells": {"structure": structure, "textContent": [content]}},
        },
    )
    params = {
        "textDocument": {"uri": cells[0]},
        "position": {"line": 0, "character": 7},
        "context": {"triggerKind": 1},
    }
    answer = await ready.ask("textDocument/inlineCompletion", params)
    assert answer["items"][0]["insertText"].startswith("foo")
    assert _texts(ready) == {cells[0]: "x = foo", cells[1]: "second"}
    closed = [{"uri": uri} for uri in cells]
    ready.notify(
        "notebookDocument/didClose",
        {"notebookDocument": {"uri": "file:///n.ipynb"}, "cellTextDocuments": closed},
    )
    await ready.command("ringfence.status")
    assert _texts(ready) == {}
    await ready.shut_down()


async def test_notebook_sync_is_announced_to_clients_that_have_it(client: LocalServer) -> None:
    capabilities = (await client.initialize())["capabilities"]
    assert capabilities["notebookDocumentSync"]["notebookSelector"] == [{"notebook": "*"}]
    await client.shut_down()
