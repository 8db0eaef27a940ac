"""Fill-in-the-middle formats: which family writes a hole how, and prompts in them.

The tokens are those of each family's published tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from .values import FillInTheMiddle, FimFormat

_QWEN = FimFormat(
    family="qwen2.5-coder",
    prefix_token="<|fim_prefix|>",
    suffix_token="<|fim_suffix|>",
    middle_token="<|fim_middle|>",
    stop=("<|endoftext|>", "<|fim_pad|>", "<|file_sep|>", "<|im_end|>"),
    repository_token="<|repo_name|>",
    file_token="<|file_sep|>",
)
_STARCODER = FimFormat(
    family="starcoder2",
    prefix_token="<fim_prefix>",
    suffix_token="<fim_suffix>",
    middle_token="<fim_middle>",
    stop=("<|endoftext|>", "<file_sep>", "<fim_prefix>"),
    repository_token="<repo_name>",
    file_token="<file_sep>",
)
_GRANITE = FimFormat(
    family="granite-code",
    prefix_token="<fim_prefix>",
    suffix_token="<fim_suffix>",
    middle_token="<fim_middle>",
    stop=("<|endoftext|>", "<fim_prefix>"),
)
_DEEPSEEK = FimFormat(
    family="deepseek-coder",
    prefix_token="<｜fim▁begin｜>",
    suffix_token="<｜fim▁hole｜>",
    middle_token="<｜fim▁end｜>",
    stop=("<｜end▁of▁sentence｜>", "<|EOT|>", "<｜fim▁begin｜>"),
)
_CODEGEMMA = FimFormat(
    family="codegemma",
    prefix_token="<|fim_prefix|>",
    suffix_token="<|fim_suffix|>",
    middle_token="<|fim_middle|>",
    stop=("<|file_separator|>", "<eos>", "<|fim_prefix|>"),
    file_token="<|file_separator|>",
)
_CODELLAMA = FimFormat(
    family="codellama",
    prefix_token="<PRE> ",
    suffix_token=" <SUF>",
    middle_token=" <MID>",
    stop=("<EOT>", "</s>"),
)
_CODESTRAL = FimFormat(
    family="codestral",
    prefix_token="[PREFIX]",
    suffix_token="[SUFFIX]",
    middle_token="",
    stop=("</s>", "[PREFIX]", "[SUFFIX]"),
    suffix_first=True,
)

#: Names that give a family away, most telling first. Llama 3, Mistral and Phi are not
#: here: they were not trained to fill in the middle.
_NAMES: tuple[tuple[re.Pattern[str], FimFormat], ...] = tuple(
    (re.compile(pattern), format_)
    for pattern, format_ in (
        (r"qwen(2\.5|2|3)?[-_. ]?coder|codeqwen", _QWEN),
        (r"starcoder|stable-?code|santacoder", _STARCODER),
        (r"granite.*code|granite-?(3\.3|4)", _GRANITE),
        (r"deepseek.*coder", _DEEPSEEK),
        (r"codegemma", _CODEGEMMA),
        (r"code-?llama", _CODELLAMA),
        (r"codestral", _CODESTRAL),
    )
)

FORMATS: dict[str, FimFormat] = {format_.family: format_ for _, format_ in _NAMES}


def format_of(*names: str | None) -> FimFormat | None:
    """Return the format that a model's names give away, or None for no known one.

    Args:
        names: the model's name, file name, family or architecture, as far as known.
    """
    for name in names:
        if name is None:
            continue
        for pattern, format_ in _NAMES:
            if pattern.search(name.lower()):
                return format_
    return None


def format_in(vocabulary: Collection[str]) -> FimFormat | None:
    """Return the format whose tokens a model's vocabulary has."""
    return next(
        (
            format_
            for format_ in FORMATS.values()
            if all(
                token.strip() in vocabulary
                for token in (format_.prefix_token, format_.suffix_token, format_.middle_token)
                if token
            )
        ),
        None,
    )


def render(format_: FimFormat, prompt: FillInTheMiddle, prefix: str) -> str:
    """Write ``prompt`` in a family's tokens, related files first.

    Args:
        format_: the family's format.
        prompt: the hole and the related files.
        prefix: the text before the cursor as it is to be sent; see ``split_indentation``.
    """
    hole = (
        f"{format_.suffix_token}{prompt.suffix.text}{format_.prefix_token}{prefix}"
        if format_.suffix_first
        else f"{format_.prefix_token}{prefix}{format_.suffix_token}{prompt.suffix.text}"
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


def split_indentation(prefix: str) -> tuple[str, str]:
    """Split off the spaces at the end of an indented, empty last line.

    Coder vocabularies have tokens of several spaces with a word after them; a prompt
    that ends in spaces makes the model write one space too many. The spaces are kept
    off the prompt, and ``Reindented`` takes them off what comes back.

    Returns:
        What to send, and the spaces that were split off.
    """
    head, newline, last = prefix.rpartition("\n")
    if last and not last.strip(" \t"):
        return head + newline, last
    return prefix, ""


class Reindented:
    """Takes the indentation that was split off the prompt from the start of a stream."""

    def __init__(self, indentation: str) -> None:
        self._expected = indentation

    def feed(self, text: str) -> str:
        """Return what of ``text`` belongs after the cursor."""
        while self._expected and text:
            if text[0] != self._expected[0]:
                # The model wrote other indentation, or none: what is there is meant.
                self._expected = ""
                break
            self._expected = self._expected[1:]
            text = text[1:]
        return text
