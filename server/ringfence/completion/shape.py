"""How much of a model's stream makes one completion: a line, or a block.

The cut is made while the text streams in, so that a generation is stopped as soon as
its completion is whole, not trimmed afterwards.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass
from typing import Literal

from .window import Window, lines_of

#: A block longer than this is more than anybody reads as ghost text.
MOST_LINES = 16

#: A line that ends with one of these opens a block: in shells and Ruby-like languages
#: with a word of its own.
_OPENER = re.compile(r"([:{(\[]|=>|\b(then|do|begin))$")

#: A line that begins so belongs to the block that it ends.
_CLOSERS = (")", "]", "}", "end")


class Shape(enum.Enum):
    """How far a completion reaches."""

    LINE = "line"
    BLOCK = "block"


@dataclass(frozen=True, slots=True)
class Cut:
    """The part of a stream that belongs to the completion.

    Attributes:
        text: the completion so far.
        whole: whether it is complete, so that the generation can be stopped.
    """

    text: str
    whole: bool


def choose_shape(window: Window, multiline: Literal["auto", "always", "never"]) -> Shape:
    """Choose between one line and a block by where the cursor stands.

    On an empty line, or right after the start of a block, a block; in the middle of a
    statement the rest of that line.
    """
    if multiline != "auto":
        return Shape.BLOCK if multiline == "always" else Shape.LINE
    if window.line_after.strip():
        return Shape.LINE
    line = window.line_before.strip()
    return Shape.BLOCK if not line or _OPENER.search(line) else Shape.LINE


def cut(text: str, window: Window, shape: Shape, *, ended: bool) -> Cut:
    """Cut ``text``, all that was streamed so far, to the completion's shape.

    Args:
        text: the stream so far.
        window: where the cursor stands.
        shape: how far the completion reaches.
        ended: whether the stream is over, so that its last line is complete.
    """
    return _cut_line(text) if shape is Shape.LINE else _cut_block(text, window, ended=ended)


def _cut_line(text: str) -> Cut:
    first, newline, _ = text.partition("\n")
    if newline and not first.strip():
        return Cut("", whole=True)
    return Cut(first.rstrip("\r"), whole=bool(newline))


def _cut_block(text: str, window: Window, *, ended: bool) -> Cut:
    lines = lines_of(text)
    floor = _block_indentation(window)
    continuation = next((line.strip() for line in lines_of(window.after)[1:] if line.strip()), None)
    kept: list[str] = []
    for number, line in enumerate(lines):
        complete = ended or number < len(lines) - 1 or line.endswith("\n")
        if number > 0 and line.strip():
            if len(kept) >= MOST_LINES:
                return _finish(kept)
            if complete and line.strip() == continuation and _indentation(line) <= floor:
                return _finish(kept)
            if _indentation(line) < floor and (complete or not line.isspace()):
                if line.strip().startswith(_CLOSERS) and _closes(kept, line):
                    kept.append(line)
                return _finish(kept) if complete else Cut("".join(kept), whole=False)
        if number > 1 and not line.strip() and complete and not "".join(kept[-1:]).strip():
            return _finish(kept)
        kept.append(line)
    return Cut("".join(kept), whole=False)


def _finish(kept: list[str]) -> Cut:
    return Cut("".join(kept).rstrip(), whole=True)


def _block_indentation(window: Window) -> int:
    """Columns of indentation below which a line no longer belongs to the block."""
    if not window.line_before.strip():
        return len(window.line_before.expandtabs(4))
    own = _indentation(window.line_before)
    return own + 1 if _OPENER.search(window.line_before.rstrip()) else own


def _indentation(line: str) -> int:
    expanded = line.expandtabs(4)
    return len(expanded) - len(expanded.lstrip())


def _closes(kept: list[str], line: str) -> bool:
    """Tell whether the closing bracket that begins ``line`` was opened in the completion."""
    pairs = {")": "(", "]": "[", "}": "{"}
    closer = line.strip()[0]
    opener = pairs.get(closer)
    if opener is None:
        return True
    text = "".join(kept)
    return text.count(opener) > text.count(closer)
