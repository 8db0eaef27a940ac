"""Prompts in a family's fill-in-the-middle tokens, and what comes back from them."""

from __future__ import annotations

from .fim import MOST_STOPS
from .values import FillInTheMiddle, FimFormat

_BLANKS = " \t"


def render(format_: FimFormat, prompt: FillInTheMiddle, prefix: str) -> str:
    """Write ``prompt`` in a family's tokens, related files first.

    Related files stand first and in the order they are given, the most stable first: what
    a server has read of a prompt's start it need not read again at the next key. A family
    that was not trained on several files gets none.

    Args:
        format_: the family's format.
        prompt: the hole and the related files.
        prefix: the text before the cursor as it is to be sent; see ``split_indentation``.
    """
    suffix = prompt.suffix.text
    hole = (
        f"{format_.suffix_token}{suffix}{format_.prefix_token}{prefix}"
        if format_.suffix_first
        else f"{format_.prefix_token}{prefix}{format_.suffix_token}{suffix}"
    )
    return _related(format_, prompt) + hole + format_.middle_token


def _related(format_: FimFormat, prompt: FillInTheMiddle) -> str:
    if not prompt.related or format_.file_token is None:
        return ""
    files = "".join(
        f"{format_.file_token}{fragment.source.file or 'snippet'}\n{fragment.text}\n"
        for fragment in prompt.related
    )
    name = prompt.prefix.source.file or "current"
    repository = f"{format_.repository_token}project\n" if format_.repository_token else ""
    return f"{repository}{files}{format_.file_token}{name}\n"


def stops(format_: FimFormat | None, wanted: tuple[str, ...]) -> list[str]:
    """Return the strings that end a completion: the caller's, then the family's; at most four."""
    family = format_.stop if format_ is not None else ()
    return list(dict.fromkeys((*wanted, *family)))[:MOST_STOPS]


def split_indentation(prefix: str) -> tuple[str, str]:
    """Split off the blanks at the end of an indented, empty last line.

    Coder vocabularies have tokens of several spaces with a word after them; a prompt that
    ends in spaces makes the model write one space too many. The blanks are kept off the
    prompt, and ``Reindented`` takes them off what comes back.

    Returns:
        What to send, and the blanks that were split off.
    """
    head, newline, last = prefix.rpartition("\n")
    if last and not last.strip(_BLANKS):
        return head + newline, last
    return prefix, ""


class Reindented:
    """Takes the indentation that was split off the prompt from the start of a stream.

    A model that writes deeper indentation keeps what is beyond; one that writes less, or
    blanks of the other kind, loses its own: the cursor stands where it stands.

    Args:
        indentation: the blanks that stand before the cursor already.
    """

    def __init__(self, indentation: str) -> None:
        self._expected = indentation
        self._dropping = False

    def feed(self, text: str) -> str:
        """Return what of ``text`` belongs after the cursor."""
        while text and self._expected and text[0] == self._expected[0]:
            self._expected = self._expected[1:]
            text = text[1:]
        if text and self._expected:
            # The rest is other than expected.
            self._expected = ""
            self._dropping = text[0] in _BLANKS
        if self._dropping and text:
            text = text.lstrip(_BLANKS)
            self._dropping = not text
        return text
