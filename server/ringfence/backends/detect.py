"""Finding out which kind of server listens at an address (``kind: auto``).

Each kind is asked by a route and an answer of its own; "200" alone proves nothing, since
LM Studio answers it to any path.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2

from ringfence.config.settings import BackendKind
from ringfence.privacy import Endpoint, Gate

from ._http import Server
from ._json import dict_of, dicts_of, list_of, text_of
from .errors import BackendError, InvalidAnswer, OutOfRing, Overloaded, Refused, Unreachable
from .urls import at_openai_base, at_root

#: Hosts whose kind needs no question.
_KNOWN_HOSTS = {
    "api.openai.com": BackendKind.OPENAI,
    "api.anthropic.com": BackendKind.ANTHROPIC,
    "api.mistral.ai": BackendKind.MISTRAL,
    "codestral.mistral.ai": BackendKind.MISTRAL,
}

#: Routes of single kinds, at the server's root.
_ROUTES = ("/props", "/api/v1/models", "/api/v0/models", "/api/version", "/api/tags", "/version")

_LISTED = "/models"


async def detect(gate: Gate, endpoint: Endpoint) -> BackendKind:
    """Return the kind of server that listens at ``endpoint``.

    Raises:
        Unreachable: when nothing answers.
        Overloaded: when a server is loading, so that it does not tell yet.
        Refused: when the key is refused, so that nothing can be told.
        InvalidAnswer: when what answers is no model server.
        OutOfRing: when the address lies outside the declared zone.
    """
    known = _KNOWN_HOSTS.get(httpx2.URL(endpoint.url).host)
    if known is not None:
        return known
    root, base = Server(gate, at_root(endpoint)), Server(gate, at_openai_base(endpoint))
    try:
        results = await asyncio.gather(
            *(_answer(root, route) for route in _ROUTES), _answer(base, _LISTED)
        )
    finally:
        await root.aclose()
        await base.aclose()
    answers = dict(zip((*_ROUTES, _LISTED), results, strict=True))
    found = _kind_of(
        {
            route: {} if isinstance(answer, BackendError) else dict_of(answer)
            for route, answer in answers.items()
        }
    )
    if found is not None:
        return found
    for reason in (OutOfRing, Overloaded, Refused, Unreachable):
        for answer in answers.values():
            if isinstance(answer, reason):
                raise answer
    raise InvalidAnswer(
        endpoint.name, f"What answers as {endpoint.name!r} is no model server; check its url."
    )


async def _answer(server: Server, path: str) -> Any:
    try:
        return await server.get(path, "kind detection")
    except BackendError as error:
        return error


def _kind_of(answers: Mapping[str, Mapping[str, Any]]) -> BackendKind | None:
    props = answers["/props"]
    if "default_generation_settings" in props or props.get("role") == "router":
        return BackendKind.LLAMACPP
    if any("key" in entry for entry in dicts_of(answers["/api/v1/models"].get("models"))):
        return BackendKind.LMSTUDIO
    if any("compatibility_type" in e for e in dicts_of(answers["/api/v0/models"].get("data"))):
        return BackendKind.LMSTUDIO
    version = text_of(answers["/api/version"].get("version"))
    if version and isinstance(answers["/api/tags"].get("models"), list):
        return BackendKind.OLLAMA
    listed = answers[_LISTED]
    entries = dicts_of(listed.get("data"))
    owners = {entry.get("owned_by") for entry in entries}
    if text_of(answers["/version"].get("version")) and owners == {"vllm"}:
        return BackendKind.VLLM
    if entries or (list_of(listed.get("data")) == [] and listed.get("object") == "list"):
        return BackendKind.OPENAI
    return None
