"""From a task to a decision: filter, then rank. Nothing is sent and nothing is waited for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ringfence.backends.values import Model
from ringfence.config.settings import RoutingSettings

from .catalogue import CatalogueView
from .decision import Decision, NoRoute, Rejection
from .filters import (
    HEALTH,
    ORDER,
    POLICY,
    Filtered,
    by_capability,
    by_context,
    by_fit,
    by_health,
    by_policy,
    margin,
    usable_context,
)
from .health import HealthSnapshot
from .ranking import rank, reason, warning
from .task import Task, TaskKind

#: Kinds of task whose prompt may be cut in parts, answered one by one and combined.
SPLITTABLE = frozenset({TaskKind.SUMMARY, TaskKind.ANALYSIS})

#: A part of fewer prompt tokens is not worth asking about.
SMALLEST_PART = 512


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything a decision depends on beside the task.

    Attributes:
        view: what the backends serve.
        settings: limits and preferred models.
        health: how the servers do.
        room: bytes of memory that further models may use on this device; None when that
            is not known.
        factors: what token estimates are multiplied with, by backend and model.
    """

    view: CatalogueView
    settings: RoutingSettings
    health: HealthSnapshot = field(default_factory=HealthSnapshot)
    room: int | None = None
    factors: Mapping[tuple[str, str], float] = field(default_factory=dict)


class Router:
    """Decides with what is known at the moment of the call.

    Args:
        facts: returns what is known now.
    """

    def __init__(self, facts: Callable[[], Facts]) -> None:
        self._facts = facts

    def decide(self, task: Task) -> Decision | NoRoute:
        """Choose a model and its fallbacks for ``task``, or say why there is none."""
        return choose(task, self._facts())


def choose(task: Task, facts: Facts) -> Decision | NoRoute:
    """Choose among the models in ``facts``: a pure function of its arguments."""
    kept, rejected = _filtered(task, facts)
    if kept:
        return _decision(task, kept, rejected, facts)
    if task.kind in SPLITTABLE:
        split = _split(task, facts, rejected)
        if split is not None:
            return split
    return _no_route(task, rejected)


def _filtered(task: Task, facts: Facts) -> tuple[tuple[Model, ...], tuple[Rejection, ...]]:
    """Apply the filters one after the other."""
    present = facts.view.models
    ceiling = facts.settings.max_local_context_tokens
    filters: tuple[Callable[[tuple[Model, ...]], Filtered], ...] = (
        lambda models: by_policy(task, models),
        lambda models: by_capability(task, models),
        lambda models: by_context(task, models, ceiling, facts.factors),
        lambda models: by_fit(task, models, facts.room, present),
        lambda models: by_health(task, models, facts.health),
    )
    kept = present
    rejected = list(_silent(task, facts))
    for apply in filters:
        filtered = apply(kept)
        kept = filtered.kept
        rejected.extend(filtered.rejections)
    return kept, tuple(rejected)


def _silent(task: Task, facts: Facts) -> list[Rejection]:
    """Name the backends of which no model is known, and why."""
    rejected: list[Rejection] = []
    for listing in facts.view.listings:
        if listing.models:
            continue
        name = listing.backend
        if listing.zone > task.allow:
            why = f"{name!r} lies in {listing.zone.label!r}; {task.allow.label!r} is allowed."
            remedy = f"Set `allow: {listing.zone.label}` for the folder in your configuration."
            rejected.append(Rejection(name, "", POLICY, why, remedy))
        elif listing.failure:
            remedy = f"Make {name!r} answer; it is asked again in the background."
            rejected.append(Rejection(name, "", HEALTH, listing.failure, remedy))
        elif listing.asked:
            why = f"{name!r} serves no model."
            rejected.append(Rejection(name, "", HEALTH, why, f"Add a model to {name!r}."))
        else:
            why = f"{name!r} has not yet said what it serves."
            rejected.append(Rejection(name, "", HEALTH, why, "Ask again in a moment."))
    return rejected


def _decision(
    task: Task, kept: tuple[Model, ...], rejected: tuple[Rejection, ...], facts: Facts
) -> Decision:
    chain = rank(task, kept, facts.settings, facts.health)
    return Decision(
        chain=chain,
        reason=reason(task, chain[0], facts.settings),
        rejected=rejected,
        warning=warning(task, chain[0], facts.settings),
    )


def _split(task: Task, facts: Facts, rejected: tuple[Rejection, ...]) -> Decision | None:
    """Choose for one part of a prompt that fits no model as a whole."""
    smallest = dataclasses.replace(task, prompt_tokens=SMALLEST_PART)
    kept, _ = _filtered(smallest, facts)
    if not kept:
        return None
    decision = _decision(smallest, kept, rejected, facts)

    def part(model: Model) -> int:
        window = usable_context(model, facts.settings.max_local_context_tokens)
        factor = facts.factors.get((model.backend, model.id), 1.0)
        return math.floor((window - task.output_tokens - margin(task.kind)) / factor)

    room = part(decision.model)
    chain = tuple(model for model in decision.chain if part(model) >= room)
    kept_ids = {(model.backend, model.id) for model in chain}
    note = (
        f"The prompt of {task.prompt_tokens} tokens fits no model that may see it; it is read "
        f"in parts of {room} tokens or fewer, whose answers are combined."
    )
    return dataclasses.replace(
        decision,
        chain=chain,
        rejected=tuple(r for r in rejected if (r.backend, r.model) not in kept_ids),
        warning=f"{note} {decision.warning}".strip(),
        part_tokens=room,
    )


def _no_route(task: Task, rejected: tuple[Rejection, ...]) -> NoRoute:
    """Say what stood in the way of the models that came closest."""
    what = f"No model can do this {task.kind.value} task"
    if not rejected:
        return NoRoute(
            f"{what}: no backend is configured.",
            "Add a backend to the configuration, or enable the embedded engine.",
        )
    nearest = max(rejected, key=lambda rejection: ORDER.index(rejection.filter))
    named = f"{nearest.model or nearest.backend!r}"
    where = f"{named} on {nearest.backend!r}" if nearest.model else f"{named}"
    return NoRoute(f"{what}. {where}: {nearest.why}", nearest.remedy, rejected)
