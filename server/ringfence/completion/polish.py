"""A chain of small pure functions from a model's text to what is worth showing.

Each step takes the text and its window and returns the text, shorter or the same, or a
refusal: the empty string, with the reason given by the step's name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .window import Window, lines_of

Step = Callable[[str, Window], str]

_PAIRS = {")": "(", "]": "[", "}": "{"}


@dataclass(frozen=True, slots=True)
class Polished:
    """A text after the chain.

    Attributes:
        text: what is left.
        refused_by: the step that left nothing, in words; None when something is left.
    """

    text: str
    refused_by: str | None = None


def polish(text: str, window: Window) -> Polished:
    """Run the whole chain over ``text``."""
    if not text.strip():
        return Polished("", refused_by="the model had nothing to add")
    for words, step in _CHAIN:
        text = step(text, window)
        if not text.strip():
            return Polished("", refused_by=words)
    return Polished(text)


def drop_fences(text: str, window: Window) -> str:
    """Take code out of a Markdown fence, which instruct models like to add."""
    del window
    if not text.lstrip().startswith("```"):
        return text.split("\n```", 1)[0] if "\n```" in text else text
    body = text.lstrip().partition("\n")[2]
    return body.split("\n```", 1)[0] if "```" in body else body


def drop_echoed_line(text: str, window: Window) -> str:
    """Drop the start of the cursor's line when the model repeats it."""
    typed = window.line_before.strip()
    if len(typed) >= 4 and text.lstrip().startswith(typed):
        return text.lstrip()[len(typed) :]
    return text


def cut_suffix_overlap(text: str, window: Window) -> str:
    """Cut the end of the text where it repeats what stands after the cursor anyway."""
    rest = window.line_after.rstrip()
    if rest and "\n" not in text.strip("\n") and text.rstrip().endswith(rest):
        text = text.rstrip()[: -len(rest)]
    following = [line.strip() for line in lines_of(window.after)[1:] if line.strip()]
    lines = lines_of(text.rstrip())
    for size in range(min(len(lines) - 1, len(following)), 0, -1):
        tail = [line.strip() for line in lines[-size:]]
        if tail == following[:size] and any(len(line) > 1 for line in tail):
            return "".join(lines[:-size]).rstrip()
    return text


def cut_at_unopened_closer(text: str, window: Window) -> str:
    """Cut before a closing bracket that the rest of the line closes already."""
    available = window.line_after.count
    depth = dict.fromkeys(_PAIRS, 0)
    quote: str | None = None
    for index, character in enumerate(text):
        if quote is not None:
            if character == quote or character == "\n":
                quote = None
            continue
        if character in "\"'`":
            quote = character
        for closer, opener in _PAIRS.items():
            if character == opener:
                depth[closer] += 1
            elif character == closer:
                depth[closer] -= 1
                if depth[closer] < 0 and available(closer) >= -depth[closer]:
                    return text[:index].rstrip()
    return text


def refuse_repetition(text: str, window: Window) -> str:
    """Refuse a text that repeats the line above, or one line of its own over and over."""
    lines = [line.strip() for line in lines_of(text) if line.strip()]
    first = lines_of(window.line_before + text)[0].strip()
    if len(lines) == 1 and len(first) > 3 and first == window.above.strip():
        return ""
    for line in lines:
        if len(line) > 3 and lines.count(line) > 3:
            return ""
    return text


def trim_end(text: str, window: Window) -> str:
    """Trim white space at the end, which an editor would show as nothing."""
    del window
    return text.rstrip()


_CHAIN: tuple[tuple[str, Step], ...] = (
    ("only a Markdown fence", drop_fences),
    ("only what was typed already", drop_echoed_line),
    ("only what stands after the cursor", cut_suffix_overlap),
    ("only a closing bracket that is there already", cut_at_unopened_closer),
    ("a repetition", refuse_repetition),
    ("only white space", trim_end),
)
