"""The text around a cursor, cut from a snapshot without joining the whole document."""

from __future__ import annotations

from dataclasses import dataclass

from ringfence.context.document import DocumentSnapshot, Position


@dataclass(frozen=True, slots=True)
class Window:
    """What stands around a cursor.

    Attributes:
        before: text that ends at the cursor, whole lines first.
        after: text that begins at the cursor.
        line_before: the part of the cursor's line that stands before the cursor.
        line_after: the part that stands after it, without its line ending.
        above: the last line above the cursor that is not blank, without its line ending.
    """

    before: str
    after: str
    line_before: str
    line_after: str
    above: str


def cut_window(
    document: DocumentSnapshot, cursor: Position, before_characters: int, after_characters: int
) -> Window:
    """Return the text around ``cursor``, whole lines, at least the cursor's own line.

    Args:
        document: the document as it was when the request arrived.
        cursor: a place in it; a place past the end counts as the end.
        before_characters: how much text before the cursor is wanted at most.
        after_characters: how much text after it.
    """
    lines = document.lines or ("",)
    row = min(cursor.line, len(lines) - 1)
    line = lines[row]
    column = min(cursor.column, len(line.rstrip("\r\n")))
    before = _gather(lines, range(row - 1, -1, -1), before_characters - column)
    after = _gather(lines, range(row + 1, len(lines)), after_characters - (len(line) - column))
    return Window(
        before="".join(reversed(before)) + line[:column],
        after=line[column:] + "".join(after),
        line_before=line[:column],
        line_after=line[column:].rstrip("\r\n"),
        above=next((text.rstrip("\r\n") for text in before if text.strip()), ""),
    )


def _gather(lines: tuple[str, ...], rows: range, room: int) -> list[str]:
    gathered: list[str] = []
    for row in rows:
        room -= len(lines[row])
        if room < 0:
            break
        gathered.append(lines[row])
    return gathered


def lines_of(text: str) -> list[str]:
    """Split a model's text after each newline, and at no other character.

    ``str.splitlines`` also splits at form feeds and Unicode separators, which are no
    line endings in LSP. The last line is the one without a newline, maybe empty.
    """
    parts = text.split("\n")
    return [part + "\n" for part in parts[:-1]] + [parts[-1]]
