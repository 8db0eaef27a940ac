"""From a model's stream to a cut completion, and not a token more."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from ringfence.backends.values import Event, Finished, FinishReason, TextDelta, Usage

from .shape import Shape, cut
from .window import Window


@dataclass(frozen=True, slots=True)
class Streamed:
    """What a stream gave.

    Attributes:
        text: the completion, cut to its shape.
        first_token: seconds from the start until the first text; None if none came.
        usage: token counts, where the stream ended by itself and the server reports them.
    """

    text: str
    first_token: float | None
    usage: Usage


async def collect(
    events: AsyncGenerator[Event, None], window: Window, shape: Shape, started: float
) -> Streamed:
    """Read ``events`` until the completion is whole, then stop the generation.

    Args:
        events: the stream; it is closed, which stops the generation at the server.
        window: where the cursor stands.
        shape: how far the completion reaches.
        started: the ``time.perf_counter`` moment from which times are measured.
    """
    text = ""
    first_token: float | None = None
    usage = Usage()
    ended = False
    async with aclosing(events):
        async for event in events:
            if isinstance(event, TextDelta):
                if first_token is None and event.text:
                    first_token = time.perf_counter() - started
                text += event.text
                done = cut(text, window, shape, ended=False)
                if done.whole:
                    return Streamed(done.text, first_token, usage)
            elif isinstance(event, Finished):
                usage = event.usage
                ended = event.reason is FinishReason.STOP
    text = cut(text, window, shape, ended=ended).text
    if not ended and shape is Shape.BLOCK:
        text = _without_unfinished_line(text)
    return Streamed(text, first_token, usage)


def _without_unfinished_line(text: str) -> str:
    """Drop the last line of a block that ran out of tokens, unless it is the only one."""
    kept, newline, _ = text.rpartition("\n")
    return kept if newline and kept.strip() else text
