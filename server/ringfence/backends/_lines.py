"""Splitting a stream of bytes at line ends, wherever the network cuts it."""

from __future__ import annotations

#: More than this in one line is no answer of a language model.
LONGEST_LINE = 4 * 1024 * 1024


class LineTooLong(ValueError):
    """A line that does not end."""


class LineSplitter:
    """Collects bytes and gives back whole lines.

    Lines end at LF, CR or both, and nowhere else: text functions also split at U+2028 and
    U+0085, which stand unescaped in JSON and so in code.

    Args:
        carriage_return: whether a lone CR ends a line; in JSON lines it cannot stand
            unescaped inside a string, so it is only ever a part of CR LF.
    """

    def __init__(self, *, carriage_return: bool) -> None:
        self._carriage_return = carriage_return
        self._parts: list[bytes] = []
        self._length = 0
        self._after_cr = False

    def feed(self, data: bytes) -> list[bytes]:
        """Return the lines that ``data`` completes, without their endings.

        Raises:
            LineTooLong: when a line has no end.
        """
        if self._after_cr and data:
            # The CR ended a line already; an LF that follows belongs to it.
            self._after_cr = False
            data = data.removeprefix(b"\n")
        if self._carriage_return:
            self._after_cr = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        first, *more = data.split(b"\n")
        self._keep(first)
        lines = []
        for part in more:
            lines.append(self.rest())
            self._keep(part)
        return lines

    def rest(self) -> bytes:
        """Return, and forget, what stands after the last line end."""
        line = b"".join(self._parts)
        self._parts.clear()
        self._length = 0
        return line

    def _keep(self, part: bytes) -> None:
        self._length += len(part)
        if self._length > LONGEST_LINE:
            raise LineTooLong
        if part:
            self._parts.append(part)
