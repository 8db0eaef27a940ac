"""What Ollama's answers tell of a model besides its place: its measures and abilities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._json import dict_of, int_of


def trained_context(shown: Mapping[str, Any]) -> int | None:
    """Return the context window that the model was trained for, in tokens."""
    return _fact(shown, "context_length")


def parameter_count(shown: Mapping[str, Any]) -> int | None:
    """Return the exact number of parameters."""
    return int_of(dict_of(shown.get("model_info")).get("general.parameter_count"))


def kv_bytes(shown: Mapping[str, Any]) -> int | None:
    """Return the key/value cache's bytes per token at 16 bits, from the model's metadata."""
    layers = _fact(shown, "block_count")
    heads = _fact(shown, "attention.head_count")
    if not layers or not heads:
        return None
    kv_heads = _fact(shown, "attention.head_count_kv") or heads
    width = (_fact(shown, "embedding_length") or 0) // heads
    key = _fact(shown, "attention.key_length") or width
    value = _fact(shown, "attention.value_length") or width
    return layers * kv_heads * (key + value) * 2 or None


def _fact(shown: Mapping[str, Any], name: str) -> int | None:
    info = dict_of(shown.get("model_info"))
    return int_of(info.get(f"{info.get('general.architecture')}.{name}"))
