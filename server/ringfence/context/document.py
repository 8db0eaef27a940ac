"""Text documents: a mutable list of lines that edits cost microseconds in, and frozen snapshots."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from .position_encoding import PositionEncoding, code_points_to_units, units_to_code_points


class Position(NamedTuple):
    """A place in a document: both zero-based, ``column`` in code points."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class DocumentSnapshot:
    """A document as it was at one moment.

    Attributes:
        uri: the document's URI as the editor sends it.
        version: the editor's version number, if it sends one.
        language: the language identifier of LSP, such as ``python``.
        lines: the lines with their line endings; the last one has none.
    """

    uri: str
    version: int | None
    language: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self.lines)

    def line_at(self, line: int) -> str:
        """Return a line without its ending; the empty string outside the document."""
        return without_ending(self.lines[line]) if 0 <= line < len(self.lines) else ""

    def before(self, position: Position) -> str:
        """Return the text that stands before ``position``."""
        line, column = clamp(self.lines, position)
        return "".join(self.lines[:line]) + self.lines[line][:column]

    def after(self, position: Position) -> str:
        """Return the text that stands after ``position``."""
        line, column = clamp(self.lines, position)
        return self.lines[line][column:] + "".join(self.lines[line + 1 :])


class LineDocument:
    """A document that follows an editor's changes.

    The text is kept as lines, so that a change costs what it touches and not the
    length of the file. Lines end where LSP ends them: at a line feed, a carriage
    return, or both together.
    """

    __slots__ = ("_lines", "_snapshot", "language", "uri", "version")

    def __init__(self, uri: str, text: str, version: int | None = None, language: str = "") -> None:
        self.uri = uri
        self.version = version
        self.language = language
        self._lines = split_lines(text)
        self._snapshot: DocumentSnapshot | None = None

    def __len__(self) -> int:
        """The number of lines; at least one."""
        return len(self._lines)

    def set_text(self, text: str) -> None:
        """Replace the whole text."""
        self._lines = split_lines(text)
        self._snapshot = None

    def position(self, line: int, units: int, encoding: PositionEncoding) -> Position:
        """Return the place that an editor means, clamped to the document.

        Args:
            line: the zero-based line.
            units: the column; past the end of the line it means the end, before the
                line ending.
            encoding: what ``units`` counts.
        """
        return position_from_units(self._lines, line, units, encoding)

    def replace(self, start: Position, end: Position, text: str) -> None:
        """Put ``text`` in place of what stands between two positions, in either order."""
        lines = self._lines
        start, end = sorted((clamp(lines, start), clamp(lines, end)))
        first, last = start.line, end.line
        chunk = lines[first][: start.column] + text + lines[last][end.column :]
        # A line feed that now follows a carriage return belongs to that line's ending.
        if first and chunk.startswith("\n") and lines[first - 1].endswith("\r"):
            first -= 1
            chunk = lines[first] + chunk
        replacement = split_lines(chunk)
        if last + 1 < len(lines):
            # The chunk ends with a line ending, so nothing stands after its last line.
            replacement.pop()
        lines[first : last + 1] = replacement
        self._snapshot = None

    def snapshot(self) -> DocumentSnapshot:
        """Return the document as it is now; the same object until the next change."""
        snapshot = self._snapshot
        if snapshot is None or snapshot.version != self.version:
            snapshot = DocumentSnapshot(self.uri, self.version, self.language, tuple(self._lines))
            self._snapshot = snapshot
        return snapshot


_ENDED_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)")
_SURROGATE = re.compile("[\ud800-\udfff]")


def split_lines(text: str) -> list[str]:
    """Split ``text`` into lines that keep their endings, and a last line that has none.

    Half surrogates, which JSON can carry but UTF-8 cannot, become replacement
    characters; these take as many units in every encoding, so positions hold.
    """
    if not text.isascii():
        text = _SURROGATE.sub("\ufffd", text)
    lines = _ENDED_LINE.findall(text)
    lines.append(text[sum(map(len, lines)) :])
    return lines


def without_ending(line: str) -> str:
    """Return ``line`` without its line ending."""
    return line.rstrip("\r\n")


def clamp(lines: list[str] | tuple[str, ...], position: Position) -> Position:
    """Return the nearest place to ``position`` that exists in ``lines``."""
    line, column = position
    if line < 0:
        return Position(0, 0)
    if line >= len(lines):
        return Position(len(lines) - 1, len(lines[-1]))
    return Position(line, max(0, min(column, len(without_ending(lines[line])))))


def position_from_units(
    lines: list[str] | tuple[str, ...], line: int, units: int, encoding: PositionEncoding
) -> Position:
    """Return the place that an editor means, clamped to ``lines``."""
    if not 0 <= line < len(lines):
        return clamp(lines, Position(line, 0))
    content = without_ending(lines[line])
    return Position(line, units_to_code_points(content, units, encoding))


def position_to_units(
    lines: list[str] | tuple[str, ...], position: Position, encoding: PositionEncoding
) -> tuple[int, int]:
    """Return ``position`` as an editor counts it: the line, and the column in units."""
    line, column = clamp(lines, position)
    return line, code_points_to_units(lines[line], column, encoding)
