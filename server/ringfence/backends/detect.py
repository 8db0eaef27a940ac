"""Finding out which kind of server listens at an address (``kind: auto``).

Each kind is asked by a route and an answer of its own; "200" alone proves nothing, since
LM Studio answers it to any path.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ringfence.config.settings import BackendKind
from ringfence.privacy import Endpoint, Gate

from ._http import Server
from .errors import BackendError, Unreachable
from .urls import normalized

#: Hosts whose kind needs no question.
_KNOWN_HOSTS = {
    "api.openai.com": BackendKind.OPENAI,
    "api.anthropic.com": BackendKind.ANTHROPIC,
    "api.mistral.ai": BackendKind.MISTRAL,
    "codestral.mistral.ai": BackendKind.MISTRAL,
}


async def detect(gate: Gate, endpoint: Endpoint) -> BackendKind:
    """Return the kind of server that listens at ``endpoint``.

    Raises:
        Unreachable: when nothing answers.
        OutOfRing: when the address lies outside the declared zone.
    """
    endpoint = normalized(endpoint)
    host = endpoint.url.partition("://")[2].partition("/")[0].partition(":")[0]
    if host in _KNOWN_HOSTS:
        return _KNOWN_HOSTS[host]
    key = endpoint.api_key
    server = Server(gate, endpoint, {"Authorization": f"Bearer {key}"} if key else {})
    try:
        questions = ("/api/version", "/api/v1/models", "/props", "/version", "/v1/models")
        answers = await asyncio.gather(*(_answer(server, path) for path in questions))
    finally:
        await server.aclose()
    silent = [answer for answer in answers if isinstance(answer, Unreachable)]
    if len(silent) == len(answers):
        raise silent[0]
    blocked = next(
        (a for a in answers if isinstance(a, BackendError) and a.code == "blocked"), None
    )
    if blocked is not None:
        raise blocked
    return _kind_of(*({} if isinstance(answer, BackendError) else answer for answer in answers))


async def _answer(server: Server, path: str) -> Any:
    try:
        answer = await server.get(path, "kind detection")
    except BackendError as error:
        return error
    return answer if isinstance(answer, dict) else {}


def _kind_of(
    ollama: dict[str, Any],
    lmstudio: dict[str, Any],
    props: dict[str, Any],
    vllm: dict[str, Any],
    listed: dict[str, Any],
) -> BackendKind:
    if "default_generation_settings" in props:
        return BackendKind.LLAMACPP
    if isinstance(lmstudio.get("models"), list):
        return BackendKind.LMSTUDIO
    if isinstance(ollama.get("version"), str):
        return BackendKind.OLLAMA
    entries = listed.get("data") or ()
    if isinstance(vllm.get("version"), str) and any(e.get("owned_by") == "vllm" for e in entries):
        return BackendKind.VLLM
    return BackendKind.OPENAI
