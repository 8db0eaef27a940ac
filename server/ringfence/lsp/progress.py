"""Progress that the user sees and can cancel, for work of more than a second."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from lsprotocol import types

from .session import Session


class Progress:
    """Tells the user how far some work has come."""

    def __init__(self, session: Session, token: int | str | None) -> None:
        self._session = session
        self._token = token

    def begin(self, title: str) -> None:
        """Show it."""
        self._send(types.WorkDoneProgressBegin(title=title, cancellable=True))

    def report(self, message: str, percentage: int | None = None) -> None:
        """Say what is being done now, and how much of 100 is done."""
        self._send(types.WorkDoneProgressReport(message=message, percentage=percentage))

    def end(self) -> None:
        """Hide it."""
        self._send(types.WorkDoneProgressEnd())

    def _send(
        self,
        value: types.WorkDoneProgressBegin
        | types.WorkDoneProgressReport
        | types.WorkDoneProgressEnd,
    ) -> None:
        if self._token is not None:
            self._session.server.progress(types.ProgressParams(token=self._token, value=value))


@asynccontextmanager
async def work_done_progress(
    session: Session, title: str, token: int | str | None = None
) -> AsyncIterator[Progress]:
    """Show progress while the block runs; the user's "cancel" cancels the current task.

    Args:
        session: whose client shows it.
        title: what is being done, in a few words.
        token: the client's ``workDoneToken``; without one the server makes its own, where
            the client shows such progress.
    """
    if token is None and session.capabilities.work_done_progress:
        token = await _create(session)
    progress = Progress(session, token)
    task = asyncio.current_task()
    if token is not None and task is not None:
        session.protocol.hold_progress(token, task)
    progress.begin(title)
    try:
        yield progress
    finally:
        progress.end()
        if token is not None:
            session.protocol.free_progress(token)


async def _create(session: Session) -> str | None:
    # A string: one editor does not take numbers.
    token = str(uuid.uuid4())
    with contextlib.suppress(Exception):
        await session.server.window_work_done_progress_create_async(
            types.WorkDoneProgressCreateParams(token)
        )
        return token
    return None
