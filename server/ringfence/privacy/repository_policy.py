"""``.ringfence.yaml``: what a repository says of itself; untrusted, so it can only tighten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from .policy import Rule
from .zones import Zone

FILE = ".ringfence.yaml"

#: A policy larger than this is no policy.
LARGEST = 64 * 1024

_KNOWN = ("allow", "never_send", "redact_secrets")


def read_repository_policy(file: Path) -> Rule:
    """Return what ``file`` says.

    A file that cannot be read or understood is a rule with a problem, which means
    ``device``: whoever wrote it wanted a limit.
    """
    name = f"{file.parent.name}/{FILE}"
    try:
        if file.stat().st_size > LARGEST:
            return _bad(name, f"is larger than {LARGEST} bytes")
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        return _bad(name, f"cannot be read ({error.strerror or 'unknown error'})")
    except (yaml.YAMLError, ValueError, RecursionError):
        return _bad(name, "is no YAML")
    return _rule(content if content is not None else {}, name)


def _rule(content: Any, name: str) -> Rule:
    if not isinstance(content, dict):
        return _bad(name, "is no list of keys")
    unknown = next((key for key in content if key not in _KNOWN), None)
    if unknown is not None:
        return _bad(name, f"has the unknown key {unknown!r}; known keys: {', '.join(_KNOWN)}")
    allow = content.get("allow")
    try:
        zone = Zone.parse(allow) if allow is not None else None
    except (ValueError, AttributeError):
        return _bad(name, "names no zone in 'allow'; use device, network or cloud")
    globs = content.get("never_send") or []
    if not isinstance(globs, list) or not all(isinstance(glob, str) for glob in globs):
        return _bad(name, "has no list of globs in 'never_send'")
    redact = content.get("redact_secrets")
    if redact is not None and not isinstance(redact, bool):
        return _bad(name, "has neither true nor false in 'redact_secrets'")
    return Rule(name, zone, tuple(globs), redact)


def _bad(name: str, what: str) -> Rule:
    problem = f"{name} {what}; until it is mended, code of this folder stays on this device."
    return Rule(name, problem=problem)
