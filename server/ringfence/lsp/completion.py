"""``textDocument/completion``: the same completions for clients without ghost text."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from lsprotocol import types

from ringfence.context.document import Position

from .acceptance import acceptance_command
from .completion_requests import CompletionRequests, Cursor
from .session import Session

if TYPE_CHECKING:
    from ringfence.completion.values import Candidate

#: Time that a popup waits at most, in seconds: some show nothing before the slowest answers.
DEADLINE_SECONDS = 1.5

#: Longest label, in characters.
_LABEL_LENGTH = 60

_OPTIONS = types.CompletionOptions(trigger_characters=[".", "(", "[", "{", ",", "=", ":", " "])

_WORD_BEFORE = re.compile(r"\w+$")

_NOTHING = types.CompletionList(is_incomplete=True, items=[])


def register(session: Session, requests: CompletionRequests) -> None:
    """Offer completions in the editor's list, where they are wanted there."""

    async def completion(params: types.CompletionParams) -> types.CompletionList:
        cursor = requests.locate(params.text_document.uri, params.position)
        if cursor is None or not _wanted(session):
            return _NOTHING
        from ringfence.completion.values import Trigger

        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                answer = await requests.answer(cursor, Trigger.AUTOMATIC)
        except TimeoutError:
            return _NOTHING
        if answer is None or not answer.candidates:
            return _NOTHING
        item = completion_item(session, cursor, answer.candidates[0])
        item.command = acceptance_command(answer.id, 0)
        return types.CompletionList(is_incomplete=True, items=[item])

    def offer() -> None:
        setting = session.settings.completion_fallback
        if setting == "on" or (setting == "auto" and not session.capabilities.inline_completion):
            session.server.feature(types.TEXT_DOCUMENT_COMPLETION, _OPTIONS)(completion)

    session.before_capabilities.append(offer)


def _wanted(session: Session) -> bool:
    setting = session.settings.completion_fallback
    if setting == "auto" and (application := session.application_if_ready()):
        setting = application.completion_fallback
    if setting == "auto":
        return not session.capabilities.inline_completion
    return setting == "on"


def completion_item(session: Session, cursor: Cursor, candidate: Candidate) -> types.CompletionItem:
    """Return a candidate as an entry of the editor's list.

    Editors filter their list by the word before the cursor, so the entry replaces that
    word as well. It is not preselected: Enter would take it.
    """
    start, text = candidate.start, candidate.text
    line = cursor.document.line_at(start.line)
    if word := _WORD_BEFORE.search(line[: start.column]):
        start = Position(start.line, word.start())
        text = word[0] + text
    first_line = candidate.text.strip().partition("\n")[0].strip()
    place = types.Range(
        session.workspace.to_editor(cursor.document, start),
        session.workspace.to_editor(cursor.document, candidate.end),
    )
    item = types.CompletionItem(
        label=first_line[:_LABEL_LENGTH] or "completion",
        kind=types.CompletionItemKind.Text,
        detail="Ringfence",
        documentation=candidate.text,
        filter_text=text.partition("\n")[0],
        insert_text_format=types.InsertTextFormat.PlainText,
        text_edit=types.TextEdit(place, text),
    )
    if session.capabilities.insert_text_mode:
        item.insert_text_mode = types.InsertTextMode.AsIs
    return item
