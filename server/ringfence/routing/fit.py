"""Whether a model fits the memory of this machine, with the numbers behind the answer."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ringfence.backends.values import Model
from ringfence.privacy import Zone

from .quantization import ALTERNATIVES, bits_per_weight, spelled_parameters

#: Memory beside weights and key/value cache: buffers of the computation and the server.
OVERHEAD_BYTES = 256 * 1024**2
OVERHEAD_SHARE = 0.05

#: The context that is reckoned with when a server does not say what it would serve.
ASSUMED_CONTEXT = 8192

_GB = 1e9


@dataclass(frozen=True, slots=True)
class Footprint:
    """Memory that a loaded model takes, in bytes.

    Attributes:
        weights: its weights.
        kv_cache: the key/value cache of the whole served context.
        overhead: buffers beside both.
        estimated: whether any of it was estimated from the parameters instead of read
            from the file or reported by the server.
    """

    weights: int
    kv_cache: int
    overhead: int
    estimated: bool

    @property
    def total(self) -> int:
        """All of it."""
        return self.weights + self.kv_cache + self.overhead


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a model fits.

    Attributes:
        fits: whether it does; True when its size is not known.
        footprint: what it needs; None when its size is not known.
        room: bytes that models may use; None when that is not known.
        why: the numbers in a sentence.
        remedy: what would fit instead, in a sentence; empty when it fits.
    """

    fits: bool
    footprint: Footprint | None
    room: int | None
    why: str
    remedy: str = ""


def kv_bytes_per_token(
    layers: int, kv_heads: int, key_length: int, value_length: int, bytes_per_element: float = 2.0
) -> int:
    """Return the size of the key/value cache of one token.

    Args:
        layers: blocks that attend.
        kv_heads: key/value heads of each.
        key_length: elements of one key.
        value_length: elements of one value.
        bytes_per_element: 2 for f16, 1.0625 for q8_0.
    """
    return math.ceil(layers * kv_heads * (key_length + value_length) * bytes_per_element)


def estimated_weights(parameters: int, quantization: str | None) -> int | None:
    """Return about how many bytes that many weights take; None for an unknown quantization."""
    bits = bits_per_weight(quantization)
    return None if bits is None else round(parameters * bits / 8)


def estimated_kv_bytes_per_token(parameters: int) -> int:
    """Return a careful guess of the cache per token for a model of that size.

    It follows Llama 3.1 (128 KiB at 8B, 320 KiB at 70B), whose caches are the larger
    ones among models with grouped key/value heads.
    """
    return round(128 * 1024 * math.pow(parameters / 8e9, 0.4225))


def footprint(model: Model) -> Footprint | None:
    """Return the memory that ``model`` takes as served; None when nothing tells its size."""
    weights = model.weights_bytes
    estimated = weights is None
    if weights is None and model.parameters is not None:
        weights = estimated_weights(model.parameters, model.quantization)
    if weights is None:
        return None
    per_token = model.kv_bytes_per_token
    if per_token is None:
        estimated = True
        bits = bits_per_weight(model.quantization) or BITS_WHEN_UNKNOWN
        per_token = estimated_kv_bytes_per_token(model.parameters or round(weights * 8 / bits))
    context = model.context or ASSUMED_CONTEXT
    overhead = OVERHEAD_BYTES + round(weights * OVERHEAD_SHARE)
    return Footprint(weights, per_token * context, overhead, estimated)


#: Bits per weight that are reckoned with to guess a model's parameters from its size.
BITS_WHEN_UNKNOWN = 4.89


def judge(model: Model, room: int | None) -> Verdict:
    """Say whether ``model`` fits ``room`` bytes on this machine.

    Only models that are computed on this device are judged, and one that is in memory
    already fits evidently.
    """
    need = footprint(model)
    if model.zone is not Zone.DEVICE:
        return Verdict(True, need, room, "It is not computed on this device.")
    if model.loaded:
        return Verdict(True, need, room, "It is in memory now.")
    if need is None:
        return Verdict(True, None, room, "Its size is not known.")
    if room is None:
        return Verdict(True, need, None, "The free memory of this machine is not known.")
    why = f"{_numbers(model, need)}; {gigabytes(room)} may be used"
    if need.total <= room:
        return Verdict(True, need, room, f"It fits: {why}.")
    return Verdict(False, need, room, f"It does not fit: {why}.", _instead(model, need, room))


def evictable(models: Iterable[Model]) -> int:
    """Return the bytes that the models in memory on this device would free when unloaded."""
    total = 0
    for model in models:
        need = footprint(model) if model.loaded and model.zone is Zone.DEVICE else None
        total += need.total if need is not None else 0
    return total


def gigabytes(size: int) -> str:
    """Return a size as people read it, in GB of 10⁹ bytes."""
    return f"{size / _GB:.1f} GB"


def _numbers(model: Model, need: Footprint) -> str:
    about = "about " if need.estimated else ""
    context = model.context or ASSUMED_CONTEXT
    return (
        f"{about}{gigabytes(need.total)} are needed, {gigabytes(need.weights)} for the weights "
        f"and {gigabytes(need.kv_cache)} for {context} tokens of context"
    )


def _instead(model: Model, need: Footprint, room: int) -> str:
    """Name the best quantization of the same model that would fit, or less context."""
    if need.total - need.kv_cache // 2 <= room:
        half = (model.context or ASSUMED_CONTEXT) // 2
        return f"Serve it with {half} tokens of context, which would fit."
    bits = bits_per_weight(model.quantization)
    parameters = model.parameters or (round(need.weights * 8 / bits) if bits else None)
    if parameters is not None:
        for name in ALTERNATIVES:
            weights = estimated_weights(parameters, name)
            assert weights is not None
            total = weights + need.kv_cache + OVERHEAD_BYTES + round(weights * OVERHEAD_SHARE)
            if total <= room and weights < need.weights:
                size = spelled_parameters(parameters)
                return f"{name} of the same {size} model would fit, with about {gigabytes(total)}."
    return "Take a smaller model, or one on another machine of your network if policy allows."
