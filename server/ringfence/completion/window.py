"""The text around a cursor, cut from a snapshot without joining the whole document."""

from __future__ import annotations

from dataclasses import dataclass

from ringfence.context.document import DocumentSnapshot, Position

#: Lines by which the start of the prompt moves at once.
STRIDE = 32


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
    above = _gather(lines, range(row - 1, -1, -1), before_characters - column)
    after = _gather(lines, range(row + 1, len(lines)), after_characters - (len(line) - column))
    before = lines[_steady_start(row - len(above), row) : row]
    return Window(
        before="".join(before) + line[:column],
        after=line[column:] + "".join(after),
        line_before=line[:column],
        line_after=line[column:].rstrip("\r\n"),
        above=next((text.rstrip("\r\n") for text in above if text.strip()), ""),
    )


def _steady_start(first: int, row: int) -> int:
    """Return the row at which the text before the cursor begins.

    A start that moved with each new line would change the first token of the prompt, and
    the server would have to read all of it again. It moves by whole strides instead, so
    that the server's prefix cache stays useful while a stride is typed.
    """
    aligned = -(-first // STRIDE) * STRIDE
    return aligned if aligned <= row else first


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
