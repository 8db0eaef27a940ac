"""Quantizations by the names GGUF gives them, and how many bits each weight takes."""

from __future__ import annotations

import re

#: Bits per weight of whole models, embeddings and scales included, as measured on
#: Llama-3.1-8B files. Mixed kinds (K_M and the like) vary by a few per cent with the model.
BITS_PER_WEIGHT: dict[str, float] = {
    "F32": 32.0,
    "F16": 16.0,
    "BF16": 16.0,
    "Q8_0": 8.5,
    "Q6_K": 6.56,
    "Q5_K_M": 5.70,
    "Q5_K_S": 5.57,
    "Q5_1": 6.0,
    "Q5_0": 5.57,
    "Q4_K_M": 4.89,
    "Q4_K_S": 4.67,
    "Q4_1": 5.1,
    "Q4_0": 4.66,
    "IQ4_NL": 4.68,
    "IQ4_XS": 4.46,
    "MXFP4": 4.6,
    "Q3_K_L": 4.3,
    "Q3_K_M": 4.0,
    "Q3_K_S": 3.64,
    "IQ3_M": 3.76,
    "IQ3_XS": 3.5,
    "IQ3_XXS": 3.25,
    "Q2_K": 3.16,
    "Q2_K_S": 2.97,
    "IQ2_M": 2.93,
    "IQ2_XS": 2.59,
    "IQ2_XXS": 2.38,
    "IQ1_S": 2.0,
}

#: The quantizations that are offered when a model does not fit, best first.
ALTERNATIVES = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")

_SAME = {"FP32": "F32", "FP16": "F16", "INT8": "Q8_0", "8BIT": "Q8_0", "4BIT": "Q4_K_M"}
_SIZE = re.compile(r"^\s*(?:(\d+)\s*x\s*)?(\d+(?:\.\d+)?)\s*([KMBT])\s*$", re.IGNORECASE)
_UNITS = {"K": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}


def normalised(name: str | None) -> str | None:
    """Return the name as GGUF writes it (``q4_k_m`` and ``Q4_K_M`` are the same)."""
    if name is None or not name.strip():
        return None
    upper = name.strip().upper().replace("-", "_")
    return _SAME.get(upper, upper)


def bits_per_weight(name: str | None) -> float | None:
    """Return how many bits a weight takes; None for a quantization that is not known."""
    known = normalised(name)
    return BITS_PER_WEIGHT.get(known) if known is not None else None


def parse_parameters(text: str | None) -> int | None:
    """Return the number that a word such as ``8B``, ``494M`` or ``8x7B`` stands for."""
    match = _SIZE.match(text) if text else None
    if match is None:
        return None
    experts, number, unit = match.groups()
    return round(int(experts or 1) * float(number) * _UNITS[unit.upper()])


def spelled_parameters(parameters: int | None) -> str | None:
    """Return the number as people write it: ``7.6B``, ``494M``."""
    if parameters is None:
        return None
    for unit, size in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if parameters >= size:
            return f"{parameters / size:.3g}{unit}"
    return str(parameters)
