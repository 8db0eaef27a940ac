"""``textDocument/inlineCompletion``: ghost text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lsprotocol import types

from .acceptance import acceptance_command
from .completion_requests import CompletionRequests, Cursor, Selection
from .session import Session

if TYPE_CHECKING:
    from ringfence.completion.values import Candidate, CompletionAnswer


def register(session: Session, requests: CompletionRequests) -> None:
    """Offer ghost text."""

    # Without options pygls does not announce the feature.
    @session.server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def inline_completion(
        params: types.InlineCompletionParams,
    ) -> types.InlineCompletionList:
        cursor = requests.locate(params.text_document.uri, params.position)
        if cursor is None:
            return types.InlineCompletionList([])
        from ringfence.completion.values import Trigger

        invoked = params.context.trigger_kind is types.InlineCompletionTriggerKind.Invoked
        info = params.context.selected_completion_info
        selection = Selection(info.range, info.text) if info else None
        answer = await requests.answer(
            cursor, Trigger.INVOKED if invoked else Trigger.AUTOMATIC, selection
        )
        return types.InlineCompletionList(_items(session, cursor, selection, answer))


def _items(
    session: Session,
    cursor: Cursor,
    selection: Selection | None,
    answer: CompletionAnswer | None,
) -> list[types.InlineCompletionItem]:
    if answer is None:
        return []
    items = [
        types.InlineCompletionItem(
            insert_text=candidate.text,
            range=_range(session, cursor, candidate),
            command=acceptance_command(answer.id, index),
        )
        for index, candidate in enumerate(answer.candidates)
    ]
    if selection is None:
        return items
    # The editor drops what does not extend its own selected entry.
    return [
        item
        for item in items
        if item.range == selection.range and str(item.insert_text).startswith(selection.text)
    ]


def _range(session: Session, cursor: Cursor, candidate: Candidate) -> types.Range:
    return types.Range(
        session.workspace.to_editor(cursor.document, candidate.start),
        session.workspace.to_editor(cursor.document, candidate.end),
    )
