"""What of a prompt is kept when not all of it fits: the nearest to the cursor.

Nothing is left to the server, which would cut in silence and perhaps in the middle of the
tokens that mark the hole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ringfence.backends.values import FillInTheMiddle, Model
from ringfence.privacy import Fragment

from .filters import margin, usable_context
from .task import TaskKind

#: The start of a prefix moves in steps of so many lines, so that the beginning of the
#: prompt stays the same, and stays in the server's cache, while lines are added.
STEP_LINES = 16

Count = Callable[[str], int]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


@dataclass(frozen=True, slots=True)
class Limits:
    """Most tokens of each part of a fill-in-the-middle prompt, and of the whole."""

    prefix: int
    suffix: int
    total: int


def limits_for(model: Model, ceiling: int, output_tokens: int, prefix: int, suffix: int) -> Limits:
    """Return what a completion prompt for ``model`` may take.

    Args:
        model: whose served context bounds the whole.
        ceiling: the configured most tokens for models on the device or the network.
        output_tokens: the most tokens of the answer.
        prefix: the configured most tokens before the cursor.
        suffix: the configured most tokens after it.
    """
    room = usable_context(model, ceiling) - output_tokens - margin(TaskKind.COMPLETION)
    return Limits(prefix, suffix, max(0, room))


def fit_fill_in_the_middle(
    prefix: Fragment, suffix: Fragment, related: Sequence[Fragment], limits: Limits, count: Count
) -> FillInTheMiddle:
    """Return a prompt within ``limits``, cut at line ends.

    Related files go first, the last of them first; then the lines of the document that
    are furthest from the cursor. The cursor's own line is cut only when it alone is too
    long.

    Args:
        prefix: the text before the cursor.
        suffix: the text after it.
        related: other files, those to keep longest first.
        limits: in tokens.
        count: returns an upper estimate of a text's tokens; it is called for each line.
    """
    after = _nearest_after(suffix.text, min(limits.suffix, limits.total // 2), count)
    room = min(limits.prefix, limits.total - count(after))
    before = _nearest_before(prefix.text, room, count)
    left = limits.total - count(before) - count(after)
    kept: list[Fragment] = []
    for fragment in related:
        size = count(fragment.text)
        if size > left:
            break
        kept.append(fragment)
        left -= size
    return FillInTheMiddle(replace(prefix, text=before), replace(suffix, text=after), tuple(kept))


def _nearest_before(text: str, room: int, count: Count) -> str:
    """Return the whole lines at the end of ``text`` that fit."""
    lines = _LINE.findall(text)
    if text.endswith(("\n", "\r")):
        lines.append("")
    first = len(lines)
    sizes = 0
    while first > 0:
        size = count(lines[first - 1])
        if sizes + size > room:
            break
        sizes += size
        first -= 1
    if first == len(lines):
        return _end_of(lines[-1], room, count) if lines else ""
    stepped = -(-first // STEP_LINES) * STEP_LINES
    # The step may cost a part of what fits, but never most of it.
    return "".join(lines[stepped if len(lines) - stepped > STEP_LINES else first :])


def _nearest_after(text: str, room: int, count: Count) -> str:
    """Return the whole lines at the start of ``text`` that fit."""
    kept: list[str] = []
    for line in _LINE.findall(text):
        size = count(line)
        if size > room:
            break
        kept.append(line)
        room -= size
    return "".join(kept)


def _end_of(line: str, room: int, count: Count) -> str:
    """Return the longest end of ``line`` that fits, found by halving."""
    low, high = 0, len(line)
    while low < high:
        middle = (low + high + 1) // 2
        if count(line[len(line) - middle :]) <= room:
            low = middle
        else:
            high = middle - 1
    return line[len(line) - low :]
