"""The keys a configuration may hold, read off the models."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from .problems import KeyPath
from .settings import Section

#: A key this similar to a valid one is taken for a slip of the finger.
_SLIP = 0.8


def section_at(root: type[Section], path: KeyPath) -> type[Section] | None:
    """Return the section that a path leads to; None when it leads to no section."""
    section: type[Section] | None = root
    for step in path:
        if isinstance(step, int):
            continue
        if section is None or step not in section.model_fields:
            return None
        section = _section_in(section.model_fields[step].annotation)
    return section


def nearest_key(root: type[Section], parent: KeyPath, key: str) -> str:
    """Say which valid key somebody who wrote ``key`` may have meant."""
    section = section_at(root, parent)
    siblings = list(section.model_fields) if section is not None else []
    ranked = sorted(siblings, key=lambda name: -_likeness(key, name))
    if ranked and _likeness(key, ranked[0]) >= _SLIP:
        return f'did you mean "{ranked[0]}"?'
    for place, name in all_keys(root):
        if name == key:
            where = f'under "{place}"' if place else "at the top level"
            return f"it belongs {where}"
    if not ranked:
        return "no keys can stand here"
    return f'the nearest valid key is "{ranked[0]}"'


def all_keys(root: type[Section], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield every valid key with the dotted path of its section; ``[]`` stands for a list."""
    yield from ((prefix, name) for name in root.model_fields)
    for name, field in root.model_fields.items():
        section = _section_in(field.annotation)
        if section is not None:
            listed = "[]" if "tuple" in str(field.annotation) else ""
            yield from all_keys(section, f"{prefix}{'.' if prefix else ''}{name}{listed}")


def _section_in(annotation: Any) -> type[Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    for argument in get_args(annotation):
        if section := _section_in(argument):
            return section
    return None


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()
