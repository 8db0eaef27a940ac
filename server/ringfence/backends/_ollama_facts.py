"""What Ollama's answers tell of a model: where it is computed, and its measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.privacy import Endpoint, Zone

from ._facts import verified_zone

LOCAL = "Ollama says that it computes this model itself"
REMOTE = "Ollama passes this model's requests on to a remote service"


def place(
    endpoint: Endpoint, id_: str, entry: Mapping[str, Any], shown: Mapping[str, Any]
) -> tuple[Zone, str]:
    """Return where a model is computed, and why that is believed.

    Args:
        endpoint: the Ollama server.
        id_: the model's name.
        entry: what the list of models says of it.
        shown: what ``/api/show`` says of it; empty when it did not answer.
    """
    tag = id_.rpartition(":")[2]
    remote = any(facts.get("remote_host") or facts.get("remote_model") for facts in (entry, shown))
    if remote or tag == "cloud" or tag.endswith("-cloud"):
        return Zone.CLOUD, REMOTE
    if not shown:
        return Zone.CLOUD, "Ollama did not say where it computes this model"
    return verified_zone(endpoint, LOCAL)


def trained_context(shown: Mapping[str, Any]) -> int | None:
    """Return the context window that the model was trained for, in tokens."""
    info = shown.get("model_info") or {}
    context = info.get(f"{info.get('general.architecture')}.context_length")
    return context if isinstance(context, int) else None


def kv_bytes(shown: Mapping[str, Any]) -> int | None:
    """Return the key/value cache's bytes per token at 16 bits, from the model's metadata."""
    info = shown.get("model_info") or {}
    architecture = info.get("general.architecture")
    try:
        layers = int(info[f"{architecture}.block_count"])
        heads = int(info[f"{architecture}.attention.head_count"])
        kv_heads = int(info.get(f"{architecture}.attention.head_count_kv", heads))
        width = int(info[f"{architecture}.embedding_length"]) // heads
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        return None
    key = int(info.get(f"{architecture}.attention.key_length") or width)
    value = int(info.get(f"{architecture}.attention.value_length") or width)
    return layers * kv_heads * (key + value) * 2
