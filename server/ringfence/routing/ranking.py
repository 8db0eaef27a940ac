"""The order of preference among models that can all do a task."""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ringfence.backends.values import Model
from ringfence.config.settings import PreferredModels, RoutingSettings
from ringfence.privacy import Zone

from .health import HealthSnapshot
from .quantization import bits_per_weight, normalised, spelled_parameters
from .task import Task, TaskKind

#: The size wanted for what must be quick.
QUICK_PARAMETERS = 8e9

#: Models of 60 billion parameters or more count as "70B".
LARGE_PARAMETERS = 60e9

QUICK_QUANTIZATION = "Q4_K_M"
PRECISE_QUANTIZATION = "Q8_0"

_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}")

_NAMES = {
    TaskKind.COMPLETION: "an inline completion",
    TaskKind.EDIT: "an edit",
    TaskKind.REFACTOR: "a refactor",
    TaskKind.SUMMARY: "a summary",
    TaskKind.AGENT: "work with tools",
    TaskKind.ANALYSIS: "an analysis",
}


class Place(enum.Enum):
    """Which zones come first."""

    NEAREST = "the nearest first"
    CLOUD = "the cloud first"
    ANY = "whichever is best"


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a task prefers.

    Attributes:
        place: which zones come first.
        quick: whether a model of about 8B is wanted; else the largest.
        quantization: the quantization that is wanted.
    """

    place: Place
    quick: bool
    quantization: str


def preferences(task: Task, settings: RoutingSettings) -> Preferences:
    """Return what ``task`` prefers, by the table of the design."""
    kind = task.kind
    long_chain = task.tools > settings.max_tool_chain_length
    if long_chain or (kind is TaskKind.REFACTOR and task.allow is Zone.CLOUD):
        return Preferences(Place.CLOUD, quick=False, quantization=PRECISE_QUANTIZATION)
    if kind is TaskKind.REFACTOR:
        return Preferences(Place.ANY, quick=False, quantization=PRECISE_QUANTIZATION)
    if kind in (TaskKind.COMPLETION, TaskKind.SUMMARY):
        wanted = normalised(settings.local.quantization) or QUICK_QUANTIZATION
        if task.json_schema:
            wanted = PRECISE_QUANTIZATION
        return Preferences(Place.NEAREST, quick=True, quantization=wanted)
    return Preferences(Place.NEAREST, quick=False, quantization=PRECISE_QUANTIZATION)


def rank(
    task: Task, models: Sequence[Model], settings: RoutingSettings, health: HealthSnapshot
) -> tuple[Model, ...]:
    """Return ``models`` with the best for ``task`` first.

    The order depends on the arguments alone. Where nothing else tells two models apart,
    the order of the configured backends does, then the models' names.
    """
    wanted = preferences(task, settings)
    places = {name: place for place, name in enumerate(dict.fromkeys(m.backend for m in models))}

    def key(model: Model) -> tuple[float | str, ...]:
        return (
            _distance(model, wanted.place),
            _too_slow(task, model, health),
            _preference(model, settings, quick=wanted.quick),
            _size(model, quick=wanted.quick),
            _quantization(model, wanted.quantization),
            model.loaded is False,
            model.zone,
            "cod" not in (model.family or model.id).lower(),
            places[model.backend],
            model.id,
        )

    return tuple(sorted(models, key=key))


def reason(task: Task, best: Model, settings: RoutingSettings) -> str:
    """Return why ``best`` was ranked first, in a sentence."""
    wanted = preferences(task, settings)
    place = {
        Place.NEAREST: f"it is in the nearest zone that can, {best.zone.label!r}",
        Place.CLOUD: "the cloud is preferred for this"
        if best.zone is Zone.CLOUD
        else "no cloud model may be used or is at hand",
        Place.ANY: "the code stays within its ring",
    }[wanted.place]
    named = _preference(best, settings, quick=wanted.quick)
    if named < _NOT_NAMED:
        choice = "it is named in the configuration"
    elif best.zone is Zone.CLOUD:
        choice = "it is the first of its zone"
    elif wanted.quick:
        choice = f"it is the closest to 8B at {wanted.quantization}"
    else:
        choice = "it is the largest that fits"
    return f"{describe(best)} for {_NAMES[task.kind]}: {place}, and {choice}."


def warning(task: Task, best: Model, settings: RoutingSettings) -> str:
    """Return what the user should know about the choice; empty for nothing."""
    sentences: list[str] = []
    if task.tools > settings.max_tool_chain_length and best.zone is not Zone.CLOUD:
        sentences.append(
            f"A chain of {task.tools} tool calls is longer than the limit of "
            f"{settings.max_tool_chain_length} and stays on {best.backend!r}."
        )
    if task.kind is TaskKind.REFACTOR and best.zone is not Zone.CLOUD and not is_large(best):
        sentences.append(
            f"No 70B model at Q8_0 is within reach, so {describe(best)} does this refactor: "
            "look at its edits with care."
        )
    sentences.extend(best.contradictions)
    return " ".join(sentences)


def is_large(model: Model) -> bool:
    """Say whether a model is of the size and precision that cross-file refactors want."""
    bits = bits_per_weight(model.quantization)
    return (model.parameters or 0) >= LARGE_PARAMETERS and bits is not None and bits >= 8


def describe(model: Model) -> str:
    """Name a model with its size, quantization and backend."""
    facts = [spelled_parameters(model.parameters), normalised(model.quantization)]
    known = ", ".join(fact for fact in facts if fact)
    return f"{model.id}{f' ({known})' if known else ''} on {model.backend!r}"


_NOT_NAMED = 3


def _distance(model: Model, place: Place) -> int:
    if place is Place.NEAREST:
        return int(model.zone)
    if place is Place.CLOUD:
        return 0 if model.zone is Zone.CLOUD else 1
    return 0


def _too_slow(task: Task, model: Model, health: HealthSnapshot) -> bool:
    """Whether its last answers began so late that this task's deadline would pass."""
    seconds = health.first_token_seconds(model.backend, model.id)
    return seconds is not None and seconds >= task.deadline


def _preference(model: Model, settings: RoutingSettings, *, quick: bool) -> int:
    """The model's place among those named in the configuration."""
    named: PreferredModels = settings.cloud if model.zone is Zone.CLOUD else settings.local
    order = [named.default, named.fallback]
    if not quick and (named.high_precision or model.zone is Zone.CLOUD):
        order = [named.high_precision, *(order if model.zone is Zone.CLOUD else ())]
    for place, name in enumerate(order):
        if name is not None and is_named(model, name):
            return place
    return _NOT_NAMED


def is_named(model: Model, name: str) -> bool:
    """Say whether ``name`` means ``model``: its name, or that of its variants.

    ``llama3.1:8b`` also means ``llama3.1:8b-instruct-q8_0``: which of a model's
    quantizations is used depends on the task. ``claude-3-5-sonnet`` also means its dated
    versions, but ``gpt-4o`` does not mean ``gpt-4o-mini``.
    """
    known, name = model.id.lower(), name.lower()
    if not known.startswith(name):
        return False
    rest = known[len(name) :]
    variant = ":" in name and rest.startswith("-")
    return variant or rest in ("", ":latest", "-latest") or bool(_DATE.fullmatch(rest))


def _size(model: Model, *, quick: bool) -> float:
    """How far the size is from what is wanted, in coarse steps; unknown is in the middle."""
    if quick:
        if model.parameters is None:
            return 2.0
        return float(round(2 * abs(math.log2(max(model.parameters, 1) / QUICK_PARAMETERS)) - 0.4))
    if model.parameters is None:
        return -2 * math.log2(QUICK_PARAMETERS)
    return float(-round(2 * math.log2(max(model.parameters, 1))))


def _quantization(model: Model, wanted: str) -> float:
    bits, target = bits_per_weight(model.quantization), bits_per_weight(wanted)
    if normalised(model.quantization) == wanted:
        return 0.0
    if bits is None or target is None:
        return 1.0 if model.zone is Zone.CLOUD else 4.0
    # Too few bits cost quality, too many cost time: the nearest is best.
    return 1.0 + abs(bits - target)
