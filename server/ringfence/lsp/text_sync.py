"""``textDocument/didClose`` and its like for notebooks.

Opening and changing need nothing here: ``documents`` holds the text.
"""

from __future__ import annotations

from lsprotocol import types

from .completion_requests import CompletionRequests
from .session import Session


def register(session: Session, requests: CompletionRequests) -> None:
    """Stop the work for documents that are closed."""

    @session.server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
    def did_close(params: types.DidCloseTextDocumentParams) -> None:
        requests.forget(params.text_document.uri)

    @session.server.feature(types.NOTEBOOK_DOCUMENT_DID_CLOSE)
    def notebook_did_close(params: types.DidCloseNotebookDocumentParams) -> None:
        for cell in params.cell_text_documents:
            requests.forget(cell.uri)
