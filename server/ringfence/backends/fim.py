"""Fill-in-the-middle formats: which family writes a hole how, and prompts in them.

The tokens are those of each family's published tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from .values import FimFormat

#: The most stop strings that every server takes.
MOST_STOPS = 4

_QWEN = FimFormat(
    family="qwen2.5-coder",
    prefix_token="<|fim_prefix|>",
    suffix_token="<|fim_suffix|>",
    middle_token="<|fim_middle|>",
    stop=("<|endoftext|>", "<|fim_pad|>", "<|file_sep|>", "<|im_end|>"),
    repository_token="<|repo_name|>",
    file_token="<|file_sep|>",
)
_STARCODER2 = FimFormat(
    family="starcoder2",
    prefix_token="<fim_prefix>",
    suffix_token="<fim_suffix>",
    middle_token="<fim_middle>",
    stop=("<|endoftext|>", "<file_sep>", "<fim_prefix>"),
    repository_token="<repo_name>",
    file_token="<file_sep>",
)
_STARCODER = FimFormat(
    family="starcoder",
    prefix_token="<fim_prefix>",
    suffix_token="<fim_suffix>",
    middle_token="<fim_middle>",
    stop=("<|endoftext|>", "<fim_prefix>", "<fim_pad>"),
)
_STABLE_CODE = FimFormat(
    family="stable-code",
    prefix_token="<fim_prefix>",
    suffix_token="<fim_suffix>",
    middle_token="<fim_middle>",
    stop=("<|endoftext|>", "<fim_prefix>", "<fim_pad>"),
)
_SANTACODER = FimFormat(
    family="santacoder",
    prefix_token="<fim-prefix>",
    suffix_token="<fim-suffix>",
    middle_token="<fim-middle>",
    stop=("<|endoftext|>", "<fim-prefix>", "<fim-pad>"),
)
_CODEQWEN = FimFormat(
    family="codeqwen",
    prefix_token="<fim_prefix>",
    suffix_token="<fim_suffix>",
    middle_token="<fim_middle>",
    stop=("<|endoftext|>", "<file_sep>", "<|im_end|>"),
)
_GRANITE = FimFormat(
    family="granite-code",
    prefix_token="<fim_prefix>",
    suffix_token="<fim_suffix>",
    middle_token="<fim_middle>",
    stop=("<|endoftext|>", "<|end_of_text|>", "<fim_prefix>"),
)
_GRANITE_4 = FimFormat(
    family="granite-4",
    prefix_token="<|fim_prefix|>",
    suffix_token="<|fim_suffix|>",
    middle_token="<|fim_middle|>",
    stop=("<|end_of_text|>", "<|fim_pad|>", "<|fim_prefix|>"),
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
_SEED_CODER = FimFormat(
    family="seed-coder",
    prefix_token="<[fim-prefix]>",
    suffix_token="<[fim-suffix]>",
    middle_token="<[fim-middle]>",
    stop=("<[end▁of▁sentence]>", "<[fim-suffix]>"),
    suffix_first=True,
)

_ALL = (
    _QWEN,
    _STARCODER2,
    _STARCODER,
    _STABLE_CODE,
    _SANTACODER,
    _CODEQWEN,
    _GRANITE,
    _GRANITE_4,
    _DEEPSEEK,
    _CODEGEMMA,
    _CODELLAMA,
    _CODESTRAL,
    _SEED_CODER,
)

#: The formats by the names that a configuration's ``fim`` takes.
FORMATS: dict[str, FimFormat] = {format_.family: format_ for format_ in _ALL}

#: Models whose names look like a family's and that were not trained to fill in the middle.
_NOT_TRAINED = re.compile(r"code-?llama.*(34b|python)|mamba-?codestral|codestral-?mamba")

#: Names that give a family away, most telling first.
_NAMES: tuple[tuple[re.Pattern[str], FimFormat], ...] = tuple(
    (re.compile(pattern), format_)
    for pattern, format_ in (
        (r"codeqwen", _CODEQWEN),
        (r"qwen[-_. ]?(2\.5|2|3|3\.5)?[-_. ]?coder", _QWEN),
        (r"starcoder-?_?2", _STARCODER2),
        (r"starcoder", _STARCODER),
        (r"stable-?_?code", _STABLE_CODE),
        (r"santa-?coder", _SANTACODER),
        (r"granite-?_?4", _GRANITE_4),
        (r"granite.*code|granite-?_?3[._]3", _GRANITE),
        (r"deepseek.*coder", _DEEPSEEK),
        (r"code-?gemma", _CODEGEMMA),
        (r"code-?_?llama", _CODELLAMA),
        (r"codestral", _CODESTRAL),
        (r"seed-?_?coder", _SEED_CODER),
    )
)

#: General families. Some have the tokens in their vocabulary, inherited from a coder's, and
#: were not trained on them; the vocabulary of such a model proves nothing.
_GENERAL = re.compile(
    r"llama(?![-_.]?cpp)|(?<!code)qwen|mistral|mixtral|ministral|devstral|phi[-_. ]?\d|"
    r"(?<!code)gemma|smollm|gpt-oss|granite|deepseek|glm|command-r|olmo|falcon|yi-"
)

#: The formats whose tokens in a vocabulary prove the training. Mistral's tokenizer has
#: Codestral's tokens in all its models.
_PROVEN_BY_VOCABULARY = (
    _QWEN,
    _CODEGEMMA,
    _DEEPSEEK,
    _STARCODER2,
    _STARCODER,
    _SANTACODER,
    _CODELLAMA,
)


def format_of(*names: str | None) -> FimFormat | None:
    """Return the format that a model's names give away, or None for no known one.

    Args:
        names: the model's name, file name, family or architecture, as far as known.
    """
    known = [name.lower() for name in names if name]
    if any(_NOT_TRAINED.search(name) for name in known):
        return None
    return next(
        (format_ for name in known for pattern, format_ in _NAMES if pattern.search(name)),
        None,
    )


def named_format(name: str) -> FimFormat | None:
    """Return the format that a configuration's ``fim`` names: a family or a model."""
    return FORMATS.get(name.lower()) or format_of(name)


def is_general(*names: str | None) -> bool:
    """Whether a model's names are those of a family that is not trained on holes."""
    return any(_GENERAL.search(name.lower()) for name in names if name)


def vocabulary_candidates() -> tuple[FimFormat, ...]:
    """Return the formats that a model's vocabulary can give away."""
    return _PROVEN_BY_VOCABULARY


def telling_tokens(format_: FimFormat) -> tuple[str, ...]:
    """Return the tokens that a vocabulary must have as single tokens for a format."""
    tokens = (
        format_.prefix_token,
        format_.suffix_token,
        format_.middle_token,
        format_.file_token or "",
    )
    return tuple(token.strip() for token in tokens if token)


def format_in(vocabulary: Collection[str]) -> FimFormat | None:
    """Return the format whose tokens a model's vocabulary has."""
    return next(
        (
            format_
            for format_ in _PROVEN_BY_VOCABULARY
            if all(token in vocabulary for token in telling_tokens(format_))
        ),
        None,
    )
