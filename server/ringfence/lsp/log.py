"""Logs: to standard error, and to the log window of the editor that a record belongs to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from .session import Session

_SESSION: ContextVar[Session | None] = ContextVar("session", default=None)

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_TYPES = {
    logging.ERROR: types.MessageType.Error,
    logging.WARNING: types.MessageType.Warning,
    logging.INFO: types.MessageType.Info,
}


def start_logging(level: int = logging.INFO) -> None:
    """Send the logs of Ringfence to standard error and to the connected editors.

    Those of pygls are kept out: they hold the text of messages, and so of documents.
    """
    log = logging.getLogger("ringfence")
    log.setLevel(level)
    log.propagate = False
    to_stderr = logging.StreamHandler(sys.stderr)
    to_stderr.setFormatter(logging.Formatter(_FORMAT))
    log.handlers = [to_stderr, EditorLogHandler()]
    pygls = logging.getLogger("pygls")
    pygls.setLevel(logging.CRITICAL)


def follow_session(session: Session) -> None:
    """Send what is logged from here on, in this context, to the session's editor too."""
    _SESSION.set(session)


class EditorLogHandler(logging.Handler):
    """Sends a record to the editor in whose context it was logged; tracebacks stay here."""

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        session = _SESSION.get()
        if session is None:
            return
        message = types.LogMessageParams(
            type=_TYPES.get(record.levelno, types.MessageType.Log), message=record.getMessage()
        )
        send = session.server.window_log_message
        try:
            here = asyncio.get_running_loop() is session.loop
        except RuntimeError:
            here = False
        with contextlib.suppress(RuntimeError):
            if here:
                send(message)
            else:
                session.loop.call_soon_threadsafe(send, message)
