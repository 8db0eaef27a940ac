"""``textDocument/didShowCompletion``: an extension of Copilot's server."""

from __future__ import annotations

from typing import Any

from .acceptance import read_item
from .session import Session

METHOD = "textDocument/didShowCompletion"


def register(session: Session) -> None:
    """Note which completions were shown."""

    @session.server.feature(METHOD)
    async def did_show_completion(params: Any) -> None:
        answer_id, index = read_item(params)
        (await session.application()).shown(answer_id, index)
