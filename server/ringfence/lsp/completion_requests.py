"""From an editor's cursor to the application's answer; shared by both kinds of completion."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from .protocol import RAW_PARAMS, log_failure
from .session import Session

if TYPE_CHECKING:
    from ringfence.completion.values import CompletionAnswer, Trigger
    from ringfence.context.document import DocumentSnapshot, Position

logger = logging.getLogger(__name__)

#: Reasons that come with ordinary typing, many times a minute.
_EXPECTED = frozenset({"suppressed", "cancelled", "disabled"})


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor in a document, as it was when the request arrived."""

    document: DocumentSnapshot
    position: Position


@dataclass(frozen=True, slots=True)
class Selection:
    """The selected entry of the editor's completion list, in the editor's units."""

    range: types.Range
    text: str


class CompletionRequests:
    """Asks the application, with at most one request in flight for each document.

    A newer request ends the older one, whose client gets an empty answer: some editors
    never cancel, and write every error to their log.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._in_flight: dict[str, asyncio.Task[CompletionAnswer]] = {}

    def locate(self, uri: str, position: types.Position) -> Cursor | None:
        """Return the cursor as it is now; None for a document that is not open.

        Call it before the first ``await`` of a handler: the next message may change the
        document.
        """
        document = self._session.workspace.snapshot(uri)
        if document is None:
            logger.info("No completion (excluded): the document is not open in the editor.")
            return None
        wanted = _wanted_version()
        if wanted is not None and document.version is not None and wanted != document.version:
            logger.info("No completion (stale): the request is for another version.")
            return None
        return Cursor(document, self._session.workspace.from_editor(document, position))

    async def answer(
        self, cursor: Cursor, trigger: Trigger, selection: Selection | None = None
    ) -> CompletionAnswer | None:
        """Return the application's answer; None when a newer request took its place."""
        uri = cursor.document.uri
        self.forget(uri)
        work = asyncio.ensure_future(self._complete(cursor, trigger, selection))
        self._in_flight[uri] = work
        try:
            answer = await work
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            logger.debug("No completion (cancelled): a newer request took its place.")
            return None
        except Exception:
            reference = log_failure("A completion")
            self._session.show_once(
                "completion",
                f"Completions fail by an internal error; see {reference} in Ringfence's log.",
            )
            return None
        finally:
            if self._in_flight.get(uri) is work:
                del self._in_flight[uri]
        if answer.reason is not None:
            level = logging.DEBUG if answer.reason in _EXPECTED else logging.INFO
            logger.log(level, "No completion (%s): %s", answer.reason, answer.detail)
        return answer

    def forget(self, uri: str) -> None:
        """End the request in flight for a document, if there is one."""
        if work := self._in_flight.pop(uri, None):
            work.cancel()

    async def _complete(
        self, cursor: Cursor, trigger: Trigger, selection: Selection | None
    ) -> CompletionAnswer:
        from ringfence.completion.values import CompletionRequest, SelectedItem
        from ringfence.privacy import SourceKind

        application = await self._session.application()
        document, workspace = cursor.document, self._session.workspace
        selected = None
        if selection is not None:
            selected = SelectedItem(
                start=workspace.from_editor(document, selection.range.start),
                end=workspace.from_editor(document, selection.range.end),
                text=selection.text,
            )
        request = CompletionRequest(
            document=document,
            cursor=cursor.position,
            trigger=trigger,
            source=application.ring.source(document.uri, SourceKind.DOCUMENT),
            excluded=application.ring.verdict(document.uri).excluded,
            selected=selected,
        )
        return await application.complete(request)


def _wanted_version() -> int | None:
    """The document version that some clients send and lsprotocol drops."""
    params: Any = RAW_PARAMS.get()
    version = params.get("textDocument", {}).get("version") if isinstance(params, dict) else None
    return version if isinstance(version, int) else None
