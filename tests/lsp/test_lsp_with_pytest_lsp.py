"""The happy path, through an independent client that checks what it is sent."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator

import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient, client_capabilities

_URI = "file:///project/code.py"


@pytest_lsp.fixture(  # type: ignore[untyped-decorator]
    config=ClientServerConfig(server_command=[sys.executable, "-m", "tests.lsp.scripted"])
)
async def editor(lsp_client: LanguageClient) -> AsyncIterator[None]:
    """A Neovim-like client with ghost text."""
    capabilities = client_capabilities("neovim")
    assert capabilities.text_document is not None
    capabilities.text_document.inline_completion = types.InlineCompletionClientCapabilities()
    folder = types.WorkspaceFolder(uri="file:///project", name="work")
    await lsp_client.initialize_session(
        types.InitializeParams(capabilities=capabilities, workspace_folders=[folder])
    )
    yield
    await lsp_client.shutdown_session()


async def test_typing_accepting_and_looking_at_the_status(editor: LanguageClient) -> None:
    item = types.TextDocumentItem(_URI, "python", 1, "x = f")
    editor.text_document_did_open(types.DidOpenTextDocumentParams(item))
    end = types.Position(0, 5)
    change = types.TextDocumentContentChangePartial(range=types.Range(end, end), text="o")
    editor.text_document_did_change(
        types.DidChangeTextDocumentParams(types.VersionedTextDocumentIdentifier(2, _URI), [change])
    )

    answer = await editor.text_document_inline_completion_async(
        types.InlineCompletionParams(
            context=types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
            text_document=types.TextDocumentIdentifier(_URI),
            position=types.Position(0, 6),
        )
    )
    assert isinstance(answer, types.InlineCompletionList)
    (suggestion,) = answer.items
    assert str(suggestion.insert_text).startswith("fo")
    assert suggestion.range == types.Range(types.Position(0, 4), types.Position(0, 6))

    assert suggestion.command is not None
    await editor.workspace_execute_command_async(
        types.ExecuteCommandParams(suggestion.command.command, suggestion.command.arguments)
    )
    events = await editor.workspace_execute_command_async(types.ExecuteCommandParams("test.events"))
    assert ["accepted", "answer-1", 0, None] in [list(event) for event in events or ()]
    assert editor.messages == []
