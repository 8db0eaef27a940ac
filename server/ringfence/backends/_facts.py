"""What is known of a model: what its names tell, and the user's words over the server's."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

from ringfence.config.settings import ModelSettings

from .fim import named_format
from .values import Model, Role

_SIZES = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
_COUNT = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)\s*([kmbt])(?![a-z0-9])")
_QUANTIZATION = re.compile(
    r"(?<![a-z0-9])((?:i?q\d(?:_[a-z0-9]+)*)|bf16|f16|f32|fp8|fp16|awq|gptq|mxfp4)(?![a-z0-9])"
)


def merge(model: Model, said: ModelSettings | None) -> Model:
    """Put the user's words over what the server reports, and note where they differ.

    The context window is the smaller of both: the server would cut what is beyond its own.
    """
    if said is None:
        return model
    format_ = named_format(said.fim) if said.fim else model.fim
    merged = dataclasses.replace(
        model,
        parameters=(count_of(said.parameters) if said.parameters else None) or model.parameters,
        quantization=said.quantization or model.quantization,
        context=min(filter(None, (said.context, model.context)), default=None),
        fim=format_,
        fills_in_the_middle=model.fills_in_the_middle or format_ is not None,
        contradictions=(*model.contradictions, *_contradictions(model, said)),
    )
    if said.roles is not None:
        return dataclasses.replace(merged, roles=frozenset(map(Role, said.roles)))
    if merged.fills_in_the_middle:
        return dataclasses.replace(merged, roles=merged.roles | {Role.COMPLETION})
    return merged


def _contradictions(model: Model, said: ModelSettings) -> Iterator[str]:
    name = f"{model.id!r} of {model.backend!r}"
    if said.quantization and model.quantization:
        ours, theirs = said.quantization.upper(), model.quantization.upper()
        if ours != theirs:
            yield f"{name}: the configuration says {ours}, the server {theirs}."
    if said.context and model.context and said.context > model.context:
        yield (
            f"{name}: the configuration says a context of {said.context}, the server "
            f"{model.context}; the smaller is used."
        )
    count = count_of(said.parameters) if said.parameters else None
    if count and model.parameters and not 0.75 <= count / model.parameters <= 1.34:
        yield (
            f"{name}: the configuration says {said.parameters} parameters, the server "
            f"{model.parameters / 1e9:.1f}B."
        )
    if said.fim and model.fim is not None:
        format_ = named_format(said.fim)
        if format_ is not None and format_.prefix_token != model.fim.prefix_token:
            yield (
                f"{name}: the configuration says the fim {said.fim}, the model looks like "
                f"{model.fim.family}."
            )


def roles_of(*, completes: bool, calls_tools: bool) -> frozenset[Role]:
    """Return what a model is used for unless the user says otherwise."""
    roles = {Role.EDIT}
    roles |= {Role.COMPLETION} if completes else set()
    roles |= {Role.AGENT} if calls_tools else set()
    return frozenset(roles)


def count_of(words: str) -> int | None:
    """Return a number of parameters written as ``8B``, ``1.5b`` or ``494M``."""
    match = _COUNT.search(words.lower().replace("_", "-"))
    return int(float(match[1]) * _SIZES[match[2]]) if match else None


def quantization_in(name: str) -> str | None:
    """Return the quantization that a model's or file's name tells, such as ``Q4_K_M``."""
    match = _QUANTIZATION.search(name.lower())
    return match[1].upper() if match else None
