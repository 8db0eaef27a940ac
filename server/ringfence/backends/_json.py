"""Reading JSON of a server without trusting its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def dict_of(value: object) -> Mapping[str, Any]:
    """Return an object as it is, and nothing for anything else."""
    return value if isinstance(value, dict) else {}


def list_of(value: object) -> Sequence[Any]:
    """Return an array as it is, and nothing for anything else."""
    return value if isinstance(value, list) else ()


def dicts_of(value: object) -> list[Mapping[str, Any]]:
    """Return the objects of an array."""
    return [entry for entry in list_of(value) if isinstance(entry, dict)]


def text_of(value: object) -> str:
    """Return text as it is, and nothing for anything else."""
    return value if isinstance(value, str) else ""


def int_of(value: object) -> int | None:
    """Return a number of things; None for anything that is not one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value < 2**63 else None
