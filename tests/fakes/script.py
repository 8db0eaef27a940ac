"""How one generation goes at a fake server."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Script:
    """What a fake does with one request to generate; by default it answers well.

    Attributes:
        pieces: the pieces of text that are streamed; None for the fake's usual answer.
        delay: seconds before the first byte of the answer.
        piece_delay: seconds before each piece.
        hold_after: the number of pieces after which nothing more comes until the client
            goes away; 0 for an answer whose status comes and nothing else.
        status: an HTTP status other than 200 answers with ``body`` and streams nothing.
        body: the body of such an answer; with status 200, an answer that is not a stream.
        headers: headers besides.
        error_after: the number of pieces after which an error object comes, under 200.
        error: that object's content; by default what the real server would say.
        cut_after: the number of pieces after which the connection breaks.
        finish: why the generation ended, in the server's words; None for no word.
        leave_out_end: whether the last event of the protocol is missing, the stream
            otherwise ending as if all were well.
        split: the number of bytes of each network write; None for one event a write.
        crlf: whether lines end with a carriage return too.
        pings: whether comments or pings come between the events.
        raw: bytes that are sent as the whole body of a stream.
        tool_calls: pairs of a name and arguments, as JSON text, that the model calls.
        refusal: text with which the model refuses.
        cached: tokens of the prompt that need not be read again; None for what the fake
            finds out itself.
    """

    pieces: Sequence[str] | None = None
    delay: float = 0.0
    piece_delay: float = 0.0
    hold_after: int | None = None
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] | None = None
    error_after: int | None = None
    error: Any = None
    cut_after: int | None = None
    finish: str | None = "stop"
    leave_out_end: bool = False
    split: int | None = None
    crlf: bool = False
    pings: bool = False
    raw: bytes | None = None
    tool_calls: Sequence[tuple[str, str]] = ()
    refusal: str | None = None
    cached: int | None = None
