"""From the settings of a backend to the backend."""

from __future__ import annotations

from ringfence.config.settings import BackendKind, BackendSettings
from ringfence.privacy import Endpoint, Gate

from .masked import Masked
from .protocol import Backend


def create_backend(
    settings: BackendSettings, gate: Gate, *, keep_alive_minutes: float = 30
) -> Backend:
    """Return the backend that ``settings`` describe, which is asked nothing yet.

    Args:
        settings: the user's words; of several URLs the first is used.
        gate: opens the connections.
        keep_alive_minutes: how long a server is asked to keep a model loaded.

    Raises:
        ValueError: when there is no URL, or the kind is ``engine``.
        GateRefusal: when the zone lies beyond the gate's ceiling.
    """
    url = settings.url if isinstance(settings.url, str) else next(iter(settings.url or ()), None)
    if url is None:
        raise ValueError(f"backend {settings.name!r} has no url")
    key = settings.api_key.get_secret_value() if settings.api_key is not None else None
    endpoint = Endpoint(settings.name, url.rstrip("/"), settings.zone, key)

    def make(kind: BackendKind) -> Backend:
        return _of_kind(kind, settings, endpoint, gate, keep_alive_minutes)

    if settings.kind is BackendKind.AUTO:
        from .automatic import Automatic

        return Masked(Automatic(gate, endpoint, make))
    return Masked(make(settings.kind))


def _of_kind(
    kind: BackendKind,
    settings: BackendSettings,
    endpoint: Endpoint,
    gate: Gate,
    keep_alive_minutes: float,
) -> Backend:
    # Imported by kind: most users have one, and start-up is felt.
    models = settings.models
    match kind:
        case BackendKind.OLLAMA:
            from .ollama import Ollama

            return Ollama(gate, endpoint, models, keep_alive_minutes * 60)
        case BackendKind.LMSTUDIO:
            from .lmstudio import LmStudio

            return LmStudio(gate, endpoint, models)
        case BackendKind.LLAMACPP:
            from .llamacpp import LlamaCpp

            return LlamaCpp(gate, endpoint, models)
        case BackendKind.VLLM:
            from .vllm import Vllm

            return Vllm(gate, endpoint, models)
        case BackendKind.ANTHROPIC:
            from .anthropic import Anthropic

            return Anthropic(gate, endpoint, models)
        case BackendKind.MISTRAL:
            from .mistral import Mistral

            return Mistral(gate, endpoint, models)
        case BackendKind.OPENAI:
            from .openai import OpenAI

            return OpenAI(gate, endpoint, models)
        case _:
            raise ValueError(f"backend {settings.name!r} of kind {kind.value!r} has no server")
