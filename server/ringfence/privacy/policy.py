"""How far the code of a folder may travel: layers of rules, of which the strictest wins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .zones import Zone


@dataclass(frozen=True, slots=True)
class Rule:
    """What one layer says; None where it says nothing.

    Attributes:
        layer: who says it, in words that can follow "because of".
        allow: the farthest zone.
        never_send: globs, added to those of the other layers.
        redact_secrets: whether secrets are masked; False counts only in the user's rules.
        problem: what is wrong with the layer, in a sentence; it then means ``device``.
    """

    layer: str
    allow: Zone | None = None
    never_send: tuple[str, ...] = ()
    redact_secrets: bool | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class FolderRule:
    """What the user's own configuration says of one folder."""

    path: Path
    allow: Zone = Zone.DEVICE
    never_send: tuple[str, ...] = ()
    redact_secrets: bool = True


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds for a file.

    Attributes:
        allow: the farthest zone its text may reach.
        redact_secrets: whether secrets are masked before the text leaves the device.
        because: the layer that decided, in words.
        problems: what is wrong with a layer, in sentences for the user.
    """

    allow: Zone
    redact_secrets: bool = True
    because: str = "no configuration names this folder"
    problems: tuple[str, ...] = ()


def combine(user: Rule | None, tighter: Iterable[Rule]) -> Policy:
    """Return the policy of a file.

    Args:
        user: the user's own rule for the folder, the only one that can grant anything;
            None, or one that names no zone, means ``device``.
        tighter: rules of repositories and of the editor, which can only take away.
    """
    granted = Zone.DEVICE if user is None or user.problem else user.allow or Zone.DEVICE
    allow = granted
    because = user.layer if user is not None else "no configuration names this folder"
    redact = user is None or user.redact_secrets is not False
    problems = [user.problem] if user is not None and user.problem else []
    for rule in tighter:
        if rule.problem:
            problems.append(rule.problem)
        limit = Zone.DEVICE if rule.problem else rule.allow
        if limit is not None and limit < allow:
            allow, because = limit, rule.layer
        redact = redact or rule.redact_secrets is True
    return Policy(allow, redact, because, tuple(problems))
