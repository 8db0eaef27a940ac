"""How well each server does: probes, circuit breakers and windows of real traffic."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

from ringfence.backends.errors import (
    BackendError,
    DeadlineExceeded,
    InvalidAnswer,
    Overloaded,
    Unreachable,
)

from .breaker import Breaker, BreakerState

#: Requests of each model that are remembered.
WINDOW = 64

#: Times to the first token count for this long, and only when there are some.
TRAFFIC_LIFETIME_SECONDS = 300.0
FEWEST_SAMPLES = 5

#: A shorter deadline that passes is the user's impatience, not the server's fault.
HANG_SECONDS = 30.0

#: The failures that speak against a server. A refusal (4xx), an overflow or a missing
#: model are answers, and a cancellation is none of its doing.
_COUNTED = (Unreachable, Overloaded, InvalidAnswer)


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the last requests to one model showed.

    Attributes:
        requests: how many are remembered.
        failures: how many of them failed in a way that speaks against the server.
        first_token_seconds: median time until the first token, where a few recent
            requests tell; a deadline that passed without any counts as its length.
    """

    requests: int
    failures: int
    first_token_seconds: float | None


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """One model at one backend, at one moment."""

    breaker: Breaker
    traffic: Traffic


@dataclass(frozen=True, slots=True)
class HealthSnapshot:
    """What is known of every server at one moment.

    Attributes:
        now: the clock's seconds at that moment.
        down: backends whose probes fail, with the reason in a sentence.
        models: what traffic showed, by backend and model; others are untried.
        in_flight: requests under way, by backend and model.
    """

    now: float = 0.0
    down: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[tuple[str, str], ModelHealth] = field(default_factory=dict)
    in_flight: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def why_not(self, backend: str, model: str) -> tuple[str, str] | None:
        """Return why the model should not be asked, and what helps; None when it may be."""
        if backend in self.down:
            return self.down[backend], f"Make {backend!r} answer; it is probed in the background."
        known = self.models.get((backend, model))
        if known is None or known.breaker.admits(self.now):
            return None
        why = known.breaker.why or "It has failed repeatedly."
        if known.breaker.state(self.now) is BreakerState.HALF_OPEN:
            return why, "One request is trying it again now; ask again in a moment."
        wait = max(0.0, (known.breaker.retry_at or self.now) - self.now)
        return why, f"It is tried again in {wait:.0f} s."

    def first_token_seconds(self, backend: str, model: str) -> float | None:
        """Return the median time to the first token of the last requests, if any."""
        known = self.models.get((backend, model))
        return known.traffic.first_token_seconds if known is not None else None


class _Model:
    """The mutable record of one model at one backend."""

    __slots__ = ("breaker", "first_tokens", "in_flight", "results")

    def __init__(self) -> None:
        self.breaker = Breaker()
        self.results: deque[bool] = deque(maxlen=WINDOW)
        self.first_tokens: deque[tuple[float, float]] = deque(maxlen=WINDOW)
        self.in_flight = 0

    def health(self, now: float) -> ModelHealth:
        recent = [
            seconds for at, seconds in self.first_tokens if now - at <= TRAFFIC_LIFETIME_SECONDS
        ]
        first = median(recent) if len(recent) >= FEWEST_SAMPLES else None
        return ModelHealth(
            self.breaker, Traffic(len(self.results), self.results.count(False), first)
        )


class Health:
    """Collects what probes and requests show; routing reads its snapshots.

    Every request that ``began`` must end with exactly one of ``succeeded``, ``failed``
    and ``abandoned``.

    Args:
        longest_pause: the most seconds that a failing model is left alone: one interval
            of the probes, so that a recovery is noticed within it.
        clock: monotonic seconds; replaced in tests.
    """

    def __init__(
        self, longest_pause: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._longest_pause = longest_pause
        self._clock = clock
        self._down: dict[str, str] = {}
        self._models: dict[tuple[str, str], _Model] = {}

    def snapshot(self) -> HealthSnapshot:
        """Return what is known now."""
        now = self._clock()
        return HealthSnapshot(
            now=now,
            down=dict(self._down),
            models={key: record.health(now) for key, record in self._models.items()},
            in_flight={
                key: record.in_flight for key, record in self._models.items() if record.in_flight
            },
        )

    def admits(self, backend: str, model: str) -> bool:
        """Say whether a request may begin now."""
        record = self._models.get((backend, model))
        return record is None or record.breaker.admits(self._clock())

    def began(self, backend: str, model: str) -> None:
        """A request begins."""
        record = self._models.setdefault((backend, model), _Model())
        record.breaker = record.breaker.began(self._clock())
        record.in_flight += 1

    def succeeded(self, backend: str, model: str, first_token: float | None) -> None:
        """A request ended well.

        Args:
            backend: the configured name.
            model: the model's name there.
            first_token: seconds until the first token; None when none was needed.
        """
        record = self._ended(backend, model)
        record.breaker = record.breaker.succeeded()
        record.results.append(True)
        if first_token is not None:
            record.first_tokens.append((self._clock(), first_token))
        self._down.pop(backend, None)

    def failed(self, backend: str, model: str, error: BackendError, deadline: float) -> None:
        """A request failed; what does not speak against the server is not held against it.

        Args:
            backend: the configured name.
            model: the model's name there.
            error: what went wrong.
            deadline: seconds that the request was given.
        """
        late = isinstance(error, DeadlineExceeded)
        if not (isinstance(error, _COUNTED) or (late and deadline >= HANG_SECONDS)):
            self.abandoned(backend, model)
            if late:
                self._models[backend, model].first_tokens.append((self._clock(), deadline))
            return
        record = self._ended(backend, model)
        record.results.append(False)
        pause = error.retry_after or 0.0 if isinstance(error, Overloaded) else 0.0
        record.breaker = record.breaker.failed(
            self._clock(), str(error), self._longest_pause, pause
        )

    def abandoned(self, backend: str, model: str) -> None:
        """A request ended without saying anything about the server."""
        record = self._ended(backend, model)
        record.breaker = record.breaker.abandoned()

    def probe_failed(self, backend: str, why: str) -> None:
        """All tries of a probe failed: the backend counts as down.

        Args:
            backend: the configured name.
            why: the reason in a sentence.
        """
        self._down[backend] = why

    def probe_succeeded(self, backend: str) -> bool:
        """A probe was answered; returns whether the backend was down before.

        The models of a backend that comes back are tried again at once.
        """
        if self._down.pop(backend, None) is None:
            return False
        now = self._clock()
        for (name, _), record in self._models.items():
            if name == backend:
                record.breaker = record.breaker.retried_now(now)
        return True

    def _ended(self, backend: str, model: str) -> _Model:
        record = self._models.setdefault((backend, model), _Model())
        record.in_flight = max(0, record.in_flight - 1)
        return record
