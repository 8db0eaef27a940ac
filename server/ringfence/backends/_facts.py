"""What is known of a model: the server's answer, the user's words over it, its place."""

from __future__ import annotations

import dataclasses
import re

import httpx2

from ringfence.config.settings import ModelSettings
from ringfence.privacy import Endpoint, Zone
from ringfence.privacy.addresses import parse_address, zone_of

from .fim import FORMATS, format_of
from .values import Model, Role

#: Why a model is believed to be computed where its server is.
LOOPBACK = "this kind of server computes where it runs, and its address is verified"

_SIZES = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}


def verified_zone(endpoint: Endpoint, why: str) -> tuple[Zone, str]:
    """Return the zone of a server that computes where it runs, and why it is believed.

    The gate verifies at each connection that the address lies in the declared zone. A
    literal address that plainly does not is said here already, so that nothing is
    routed to what would be refused.
    """
    address = parse_address(httpx2.URL(endpoint.url).host)
    if address is not None and zone_of(address) > endpoint.zone:
        return zone_of(address), f"its address is not in {endpoint.zone.label!r}"
    return endpoint.zone, why


def merge(model: Model, said: ModelSettings | None) -> Model:
    """Put the user's words over what the server reports, and note where they differ."""
    if said is None:
        return model
    parameters = count_of(said.parameters) if said.parameters else None
    contradictions = [
        f"{model.id!r} of {model.backend!r}: the configuration says {ours}, the server {theirs}."
        for ours, theirs, differ in (
            (
                said.quantization,
                model.quantization,
                (said.quantization or "").upper() != (model.quantization or "").upper(),
            ),
            (
                f"a context of {said.context}",
                f"a context of {model.context}",
                said.context is not None
                and model.context is not None
                and said.context > model.context,
            ),
        )
        if ours and theirs and differ
    ]
    fim = (FORMATS.get(said.fim) or format_of(said.fim)) if said.fim else model.fim
    return dataclasses.replace(
        model,
        roles=frozenset(map(Role, said.roles)) if said.roles is not None else model.roles,
        parameters=parameters or model.parameters,
        quantization=said.quantization or model.quantization,
        context=min(filter(None, (said.context, model.context)), default=None),
        fim=fim,
        fills_in_the_middle=model.fills_in_the_middle or fim is not None,
        contradictions=(*model.contradictions, *contradictions),
    )


def count_of(words: str) -> int | None:
    """Return a number of parameters written as ``8B``, ``1.5b`` or ``494M``."""
    match = re.search(r"(\d+(?:\.\d+)?)\s*([kmbt])\b", words.lower())
    return int(float(match[1]) * _SIZES[match[2]]) if match else None


def quantization_in(name: str) -> str | None:
    """Return the quantization that a model's or file's name tells, such as ``Q4_K_M``."""
    match = re.search(
        r"(?<![a-z0-9])((?:i?q\d(?:_[a-z0-9]+)*)|bf16|f16|f32|fp8|fp16|awq|gptq|mxfp4)(?![a-z0-9])",
        name.lower(),
    )
    return match[1].upper() if match else None
