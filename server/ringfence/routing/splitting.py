"""Reading what is too long for any model in parts, and combining what they gave."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from ringfence.privacy import Fragment, SourceKind

Count = Callable[[str], int]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a long text.

    Attributes:
        text: the part, labelled as the whole is.
        number: its number, from 1.
        of: how many parts there are.
        combining: whether the text is the answers about other parts.
    """

    text: Fragment
    number: int
    of: int
    combining: bool = False


Ask = Callable[[Part], Awaitable[str]]
Progress = Callable[[int, int], None]


def split_lines(text: str, most_tokens: int, count: Count) -> list[str]:
    """Cut ``text`` at line ends into parts of ``most_tokens`` or fewer; joined they are ``text``.

    A line that is too long by itself is cut within.
    """
    if most_tokens < 1:
        raise ValueError("a part needs room for a token at least")
    parts: list[str] = []
    current: list[str] = []
    size = 0
    for line in _LINE.findall(text):
        for piece in _pieces(line, most_tokens, count):
            needed = count(piece)
            if current and size + needed > most_tokens:
                parts.append("".join(current))
                current, size = [], 0
            current.append(piece)
            size += needed
    if current:
        parts.append("".join(current))
    return parts


async def answer_in_parts(
    text: Fragment,
    part_tokens: int,
    count: Count,
    ask: Ask,
    progress: Progress = lambda done, of: None,
) -> str:
    """Ask about each part of ``text``, then about all the answers together.

    Parts are asked one after the other: a local model computes one at a time anyway, and
    a cancellation then wastes nothing.

    Args:
        text: what is too long.
        part_tokens: the most tokens of a part, as ``Decision.part_tokens`` tells.
        count: returns an upper estimate of a text's tokens.
        ask: asks a model about one part and returns its answer.
        progress: is told how many requests are done, of how many as far as is known.

    Raises:
        ValueError: when the answers do not become shorter than what was asked about.
    """
    done = 0
    pieces = split_lines(text.text, part_tokens, count)
    label, combining = text.source, False
    while pieces:
        answers: list[str] = []
        for number, piece in enumerate(pieces, start=1):
            progress(done, done + len(pieces) - number + 1 + (len(pieces) > 1))
            answers.append(await ask(Part(Fragment(piece, label), number, len(pieces), combining)))
            done += 1
        if len(answers) == 1:
            progress(done, done)
            return answers[0]
        together = split_lines(_joined(answers), part_tokens, count)
        if len(together) >= len(pieces):
            raise ValueError(
                "the answers about the parts are too long to be combined; ask for shorter ones"
            )
        pieces = together
        label, combining = replace(text.source, kind=SourceKind.ANSWER), True
    return ""


def _joined(answers: list[str]) -> str:
    return "\n\n".join(answer.strip() for answer in answers)


def _pieces(line: str, most_tokens: int, count: Count) -> list[str]:
    if len(line) <= 1 or count(line) <= most_tokens:
        return [line]
    middle = len(line) // 2
    return [
        *_pieces(line[:middle], most_tokens, count),
        *_pieces(line[middle:], most_tokens, count),
    ]
