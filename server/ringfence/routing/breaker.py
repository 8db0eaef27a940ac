"""A circuit breaker as a frozen value: closed, open, half-open."""

from __future__ import annotations

import dataclasses
import enum
from dataclasses import dataclass

#: Failures in a row that open a breaker.
FAILURES_TO_OPEN = 3

#: Seconds that a breaker stays open the first time; doubled each further time.
FIRST_PAUSE_SECONDS = 2.0

#: Seconds after which a trial that never reported back is forgotten.
TRIAL_LIFETIME_SECONDS = 120.0


class BreakerState(enum.StrEnum):
    """Whether requests go through."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """Whether a model at a backend is asked, after how its last requests ended.

    Closed, it lets everything through; ``FAILURES_TO_OPEN`` failures in a row open it.
    Open, it lets nothing through for a pause. Then it is half-open: one request goes
    through as a trial, whose end closes or opens it again.

    Attributes:
        failures: failures in a row.
        openings: times in a row that it opened without closing between.
        retry_at: when the pause ends, in the clock's seconds; None while closed.
        trial_at: when a trial began that has not ended; None without one.
        why: what opened it, in a sentence.
    """

    failures: int = 0
    openings: int = 0
    retry_at: float | None = None
    trial_at: float | None = None
    why: str = ""

    def state(self, now: float) -> BreakerState:
        """Return the state at ``now``."""
        if self.retry_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if now < self.retry_at else BreakerState.HALF_OPEN

    def admits(self, now: float) -> bool:
        """Say whether one more request may go through."""
        state = self.state(now)
        if state is BreakerState.HALF_OPEN:
            return self.trial_at is None or now - self.trial_at > TRIAL_LIFETIME_SECONDS
        return state is BreakerState.CLOSED

    def began(self, now: float) -> Breaker:
        """A request that was admitted has begun."""
        if self.state(now) is BreakerState.HALF_OPEN:
            return dataclasses.replace(self, trial_at=now)
        return self

    def succeeded(self) -> Breaker:
        """A request ended well."""
        return Breaker()

    def failed(self, now: float, why: str, longest_pause: float, pause: float = 0.0) -> Breaker:
        """A request failed in a way that speaks against the server.

        Args:
            now: the clock's seconds.
            why: the failure in a sentence.
            longest_pause: the most seconds that the breaker may stay open.
            pause: seconds that the server asked to wait; it opens the breaker at once.
        """
        failures = self.failures + 1
        trial_failed = self.state(now) is BreakerState.HALF_OPEN
        if not trial_failed and self.retry_at is not None:
            return self
        if not trial_failed and failures < FAILURES_TO_OPEN and pause <= 0:
            return dataclasses.replace(self, failures=failures, why=why)
        doubled = FIRST_PAUSE_SECONDS * 2.0 ** min(self.openings, 16)
        wait = min(max(doubled, pause), longest_pause)
        return Breaker(failures, self.openings + 1, now + wait, None, why)

    def abandoned(self) -> Breaker:
        """A request ended without saying anything about the server: it was cancelled, say."""
        return dataclasses.replace(self, trial_at=None)

    def retried_now(self, now: float) -> Breaker:
        """The server has just shown that it lives: half-open before the pause is over."""
        if self.retry_at is None or now >= self.retry_at:
            return self
        return dataclasses.replace(self, retry_at=now)
