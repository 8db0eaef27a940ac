"""Adding outcomes up: counts by day and purpose, and percentiles of times."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ringfence.privacy import Zone

from .outcomes import OK, Outcome, Stage

#: Times are counted in buckets, each this much wider than the one before: a percentile is
#: within 5 per cent of the true one.
_BUCKET_RATIO = 1.1

DAY_SECONDS = 86_400


class Key(NamedTuple):
    """What outcomes are counted by."""

    day: int
    stage: str
    purpose: str
    result: str
    zone: str
    backend: str
    model: str
    fallback: bool
    cached: bool


@dataclass(frozen=True, slots=True)
class Purpose:
    """One purpose's figures.

    Attributes:
        calls: calls of models.
        ok: calls that ended with a result.
        fallbacks: calls that went well after another model had failed.
        results: how many calls ended with each result.
        answers: how many answers to the user ended with each result.
        first_token_ms: milliseconds to the first token, by percentile (50, 95, 99).
        output_tokens: tokens generated.
    """

    calls: int
    ok: int
    fallbacks: int
    results: Mapping[str, int]
    answers: Mapping[str, int]
    first_token_ms: Mapping[int, float]
    output_tokens: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of some days.

    Attributes:
        days: how many days were asked for.
        purposes: each purpose's figures.
        by_zone: calls that went well in each zone, by its label.
        by_model: the same by ``model on backend``.
        cached: answers that came from the cache.
        resident_bytes: memory of this process now.
    """

    days: int
    purposes: Mapping[str, Purpose]
    by_zone: Mapping[str, int]
    by_model: Mapping[str, int]
    cached: int
    resident_bytes: int = 0

    @property
    def local_share(self) -> float | None:
        """The share of successful calls that stayed on this device or network."""
        total = sum(self.by_zone.values())
        return None if total == 0 else 1 - self.by_zone.get(Zone.CLOUD.label, 0) / total


@dataclass(slots=True)
class Tally:
    """Counts that can still grow."""

    counts: Counter[Key] = field(default_factory=Counter)
    tokens: Counter[Key] = field(default_factory=Counter)
    first_tokens: Counter[tuple[int, str, int]] = field(default_factory=Counter)

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        day = int(outcome.time // DAY_SECONDS)
        key = Key(
            day,
            outcome.stage.value,
            outcome.purpose,
            outcome.result,
            "" if outcome.zone is None else outcome.zone.label,
            outcome.backend or "",
            outcome.model or "",
            outcome.attempt > 1,
            outcome.cached,
        )
        self.counts[key] += 1
        self.tokens[key] += outcome.output_tokens or 0
        if outcome.stage is Stage.CALL and outcome.ok and outcome.first_token_ms is not None:
            bucket = _bucket(outcome.first_token_ms)
            self.first_tokens[day, outcome.purpose, bucket] += 1

    def merge(self, other: Tally) -> None:
        """Add another tally's counts."""
        self.counts.update(other.counts)
        self.tokens.update(other.tokens)
        self.first_tokens.update(other.first_tokens)

    def since(self, day: int) -> Tally:
        """Return what was counted on ``day`` or later."""
        return Tally(
            Counter({key: count for key, count in self.counts.items() if key.day >= day}),
            Counter({key: count for key, count in self.tokens.items() if key.day >= day}),
            Counter({key: count for key, count in self.first_tokens.items() if key[0] >= day}),
        )


def summed(tally: Tally, days: int) -> Summary:
    """Return the figures of a tally that covers ``days`` days."""
    by_zone: Counter[str] = Counter()
    by_model: Counter[str] = Counter()
    cached = 0
    for key, count in tally.counts.items():
        if key.stage == Stage.CALL.value and key.result == OK:
            by_zone[key.zone] += count
            by_model[f"{key.model} on {key.backend}"] += count
        if key.stage == Stage.ANSWER.value and key.cached:
            cached += count
    purposes = {
        purpose: _purpose(tally, purpose) for purpose in sorted({k.purpose for k in tally.counts})
    }
    return Summary(days, purposes, dict(by_zone), dict(by_model), cached, _resident_bytes())


def _purpose(tally: Tally, purpose: str) -> Purpose:
    results: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    fallbacks = tokens = 0
    for key, count in tally.counts.items():
        if key.purpose != purpose:
            continue
        if key.stage == Stage.ANSWER.value:
            answers[key.result] += count
            continue
        results[key.result] += count
        tokens += tally.tokens[key]
        fallbacks += count if key.fallback and key.result == OK else 0
    buckets: Counter[int] = Counter()
    for (_, of, bucket), count in tally.first_tokens.items():
        buckets[bucket] += count if of == purpose else 0
    return Purpose(
        calls=results.total(),
        ok=results[OK],
        fallbacks=fallbacks,
        results=dict(results),
        answers=dict(answers),
        first_token_ms=percentiles(buckets),
        output_tokens=tokens,
    )


def percentiles(
    buckets: Mapping[int, int], wanted: Iterable[int] = (50, 95, 99)
) -> dict[int, float]:
    """Return percentiles of times that were counted in buckets; none of no times."""
    total = sum(buckets.values())
    found: dict[int, float] = {}
    for percent in wanted if total else ():
        rank = max(1, math.ceil(total * percent / 100))
        seen = 0
        for bucket in sorted(buckets):
            seen += buckets[bucket]
            if seen >= rank:
                found[percent] = round(_BUCKET_RATIO ** (bucket + 0.5), 1)
                break
    return found


def _bucket(milliseconds: float) -> int:
    return math.floor(math.log(max(milliseconds, 0.1), _BUCKET_RATIO))


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)
