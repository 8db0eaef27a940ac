"""``textDocument/didPartiallyAcceptCompletion``: an extension of Copilot's server."""

from __future__ import annotations

from typing import Any

from .acceptance import read_item
from .errors import InvalidParams
from .session import Session

METHOD = "textDocument/didPartiallyAcceptCompletion"


def register(session: Session) -> None:
    """Note how much of a completion was taken."""

    @session.server.feature(METHOD)
    async def did_partially_accept_completion(params: Any) -> None:
        answer_id, index = read_item(params)
        length = params.get("acceptedLength")
        if not isinstance(length, int) or isinstance(length, bool) or length < 0:
            raise InvalidParams("acceptedLength is a number of UTF-16 units.")
        (await session.application()).accepted(answer_id, index, length)
