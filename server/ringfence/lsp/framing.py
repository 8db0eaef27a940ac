"""The framing of LSP's base protocol, without any input or output of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

#: Longest header block that is waited for, in bytes.
MAX_HEADER = 8 * 1024

#: Largest body that is taken, in bytes: far more than an editor opens as text.
MAX_BODY = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Body:
    """The body of one message."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Malformed:
    """Bytes that are no message.

    Attributes:
        reason: what is wrong, in a sentence for the sender.
        fatal: whether no later message can be found in the stream.
    """

    reason: str
    fatal: bool = False


Frame: TypeAlias = Body | Malformed

_BLOCK_END = re.compile(rb"\r?\n\r?\n")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_LATE_LENGTH = re.compile(rb"content-length:[ \t]*([0-9]{1,18})[ \t]*$", re.IGNORECASE)
_CHARSET = re.compile(rb"charset\s*=\s*\"?([\w-]+)", re.IGNORECASE)


class FrameParser:
    """Turns a stream of bytes into messages.

    Header names are matched in any case, and bare line feeds are taken for line ends.
    After a broken header block the next well-formed one is looked for, unless the
    parser is strict: on a socket, a broken header is more likely a web page that posts
    to the port than an editor with a fault.

    Args:
        strict: whether every broken header is fatal.
        max_body: the largest body that is taken, in bytes.
    """

    def __init__(self, *, strict: bool = False, max_body: int = MAX_BODY) -> None:
        self._strict = strict
        self._max_body = max_body
        self._buffer = bytearray()
        self._searched = 0
        self._expected: int | None = None
        self._dead = False

    @property
    def pending(self) -> int:
        """Bytes that were fed and belong to no complete message yet."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Take more of the stream and yield what it completes."""
        if self._dead:
            return
        self._buffer += data
        while (frame := self._next()) is not None:
            if isinstance(frame, Malformed) and (frame.fatal or self._strict):
                self._dead = True
                self._buffer.clear()
                yield Malformed(frame.reason, fatal=True)
                return
            yield frame

    def _next(self) -> Frame | None:
        if self._expected is None:
            outcome = self._header()
            if not isinstance(outcome, int):
                return outcome
            self._expected = outcome
        if len(self._buffer) < self._expected:
            return None
        body = bytes(self._buffer[: self._expected])
        del self._buffer[: self._expected]
        self._expected = None
        return Body(body)

    def _header(self) -> int | Malformed | None:
        """Take a header block: the length of the body, what is wrong, or None for not yet."""
        while self._buffer.startswith((b"\r\n", b"\n")):
            del self._buffer[: 2 if self._buffer.startswith(b"\r\n") else 1]
        end = _BLOCK_END.search(self._buffer, self._searched)
        if end is None or end.start() > MAX_HEADER:
            # The end may straddle this piece of the stream and the next.
            self._searched = max(0, len(self._buffer) - 3)
            if len(self._buffer) > MAX_HEADER:
                return Malformed("The header is too long.", fatal=True)
            return None
        block = bytes(self._buffer[: end.start()])
        del self._buffer[: end.end()]
        self._searched = 0
        length = _read_block(block, lenient=not self._strict)
        if isinstance(length, int) and length > self._max_body:
            return Malformed(f"The message is larger than {self._max_body} bytes.", fatal=True)
        return length


def _read_block(block: bytes, *, lenient: bool) -> int | Malformed:
    length: bytes | None = None
    for line in re.split(rb"\r?\n", block):
        field = _FIELD.fullmatch(line)
        if field is None:
            # The end of a body that was longer than its header said may stand before
            # the next header on the same line.
            late = _LATE_LENGTH.search(line) if lenient else None
            if late is None:
                return Malformed("A header line is broken.")
            length = late[1]
            continue
        name, value = field[1].lower(), field[2]
        if name == b"content-length":
            if length not in (None, value):
                return Malformed("There are two different Content-Length headers.")
            length = value
        elif name == b"content-type":
            charset = _CHARSET.search(value)
            if charset and charset[1].lower() not in (b"utf-8", b"utf8"):
                return Malformed("The body must be encoded in UTF-8.")
    if length is None:
        return Malformed("The Content-Length header is missing.")
    if not _LENGTH.fullmatch(length):
        return Malformed("The Content-Length header is no number.")
    return int(length)
