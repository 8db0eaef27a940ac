"""Breakers, windows of traffic, and probes."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ringfence.backends.errors import (
    BackendError,
    ContextOverflow,
    DeadlineExceeded,
    InvalidAnswer,
    ModelMissing,
    Overloaded,
    Refused,
    Unreachable,
)
from ringfence.routing.breaker import FAILURES_TO_OPEN, FIRST_PAUSE_SECONDS, Breaker, BreakerState
from ringfence.routing.health import FEWEST_SAMPLES, HANG_SECONDS, Health
from tests.routing.fakes import FakeClock, fail_requests

LONGEST = 30.0


class BreakerMachine(RuleBasedStateMachine):
    """Any order of requests, their ends and pauses, held against the breaker's promises."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.breaker = Breaker()
        self.row = 0
        self.running = 0
        self.trial = False

    @precondition(lambda self: self.breaker.admits(self.now))
    @rule()
    def begin(self) -> None:
        half_open = self.breaker.state(self.now) is BreakerState.HALF_OPEN
        self.breaker = self.breaker.began(self.now)
        self.running += 1
        if half_open:
            assert not self.breaker.admits(self.now), "a second trial was let through"

    @precondition(lambda self: self.running)
    @rule()
    def succeed(self) -> None:
        self.breaker = self.breaker.succeeded()
        self.running -= 1
        self.row = 0
        assert self.breaker.state(self.now) is BreakerState.CLOSED

    @precondition(lambda self: self.running)
    @rule()
    def fail(self) -> None:
        before = self.breaker.state(self.now)
        self.breaker = self.breaker.failed(self.now, "It failed.", LONGEST)
        self.running -= 1
        self.row += 1
        if before is BreakerState.HALF_OPEN:
            assert self.breaker.state(self.now) is BreakerState.OPEN

    @precondition(lambda self: self.running)
    @rule()
    def abandon(self) -> None:
        before = self.breaker.state(self.now)
        self.breaker = self.breaker.abandoned()
        self.running -= 1
        assert self.breaker.state(self.now) is before, "a cancellation changed the state"

    @rule(seconds=st.floats(0.1, 60))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def probe(self) -> None:
        self.breaker = self.breaker.retried_now(self.now)
        assert self.breaker.state(self.now) is not BreakerState.OPEN

    @invariant()
    def a_pause_ends_within_the_longest(self) -> None:
        if self.breaker.retry_at is not None:
            assert self.breaker.retry_at - self.now <= LONGEST

    @invariant()
    def few_failures_do_not_open(self) -> None:
        if self.row < FAILURES_TO_OPEN and self.breaker.openings == 0:
            assert self.breaker.state(self.now) is BreakerState.CLOSED


BreakerMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestBreaker = BreakerMachine.TestCase


def test_the_pause_doubles_until_the_longest() -> None:
    breaker, now, pauses = Breaker(failures=FAILURES_TO_OPEN - 1), 0.0, []
    for _ in range(6):
        breaker = breaker.failed(now, "It failed.", LONGEST)
        assert breaker.retry_at is not None
        pauses.append(breaker.retry_at - now)
        now = breaker.retry_at

    assert pauses == [2.0, 4.0, 8.0, 16.0, 30.0, 30.0]


@pytest.mark.parametrize(
    ("error", "deadline", "counts"),
    [
        (Unreachable("laptop", "Gone."), 30, True),
        (Overloaded("laptop", "Busy."), 30, True),
        (InvalidAnswer("laptop", "Nonsense."), 30, True),
        (DeadlineExceeded("laptop", "Late."), HANG_SECONDS, True),
        (DeadlineExceeded("laptop", "Late."), 10.0, False),
        (Refused("laptop", "400"), 30, False),
        (ContextOverflow("laptop", "Long."), 30, False),
        (ModelMissing("laptop", "404"), 30, False),
    ],
)
def test_only_what_speaks_against_the_server_opens_its_breaker(
    error: BackendError, deadline: float, counts: bool
) -> None:
    health = Health(clock=FakeClock())

    fail_requests(health, error, deadline, FAILURES_TO_OPEN)

    assert health.admits("laptop", "m") is not counts


def test_breakers_are_kept_apart_by_model() -> None:
    health = Health(clock=FakeClock())

    fail_requests(health, Unreachable("laptop", "Gone."), times=FAILURES_TO_OPEN)

    assert not health.admits("laptop", "m")
    assert health.admits("laptop", "other")


def test_an_open_breaker_tells_when_it_is_tried_again() -> None:
    health = Health(clock=FakeClock())
    fail_requests(health, Unreachable("laptop", "Nothing answers."), times=FAILURES_TO_OPEN)

    answer = health.snapshot().why_not("laptop", "m")

    assert answer == ("Nothing answers.", f"It is tried again in {FIRST_PAUSE_SECONDS:.0f} s.")


def test_a_server_that_asks_for_time_gets_it_but_no_more_than_an_interval() -> None:
    clock = FakeClock()
    health = Health(longest_pause=LONGEST, clock=clock)
    fail_requests(health, Overloaded("laptop", "Busy.", retry_after=500))

    assert not health.admits("laptop", "m")
    clock.now += LONGEST

    assert health.admits("laptop", "m")


def test_a_second_request_waits_for_the_trial() -> None:
    clock = FakeClock()
    health = Health(clock=clock)
    fail_requests(health, Unreachable("laptop", "Gone."), times=FAILURES_TO_OPEN)
    clock.now += FIRST_PAUSE_SECONDS
    assert health.admits("laptop", "m")

    health.began("laptop", "m")

    assert not health.admits("laptop", "m")
    health.succeeded("laptop", "m", 0.1)
    assert health.admits("laptop", "m")


def test_the_time_to_the_first_token_counts_after_some_samples_and_not_for_ever() -> None:
    clock = FakeClock()
    health = Health(clock=clock)
    for seconds in range(FEWEST_SAMPLES):
        assert health.snapshot().first_token_seconds("laptop", "m") is None
        health.began("laptop", "m")
        health.succeeded("laptop", "m", float(seconds))

    assert health.snapshot().first_token_seconds("laptop", "m") == 2.0
    clock.now += 3600
    assert health.snapshot().first_token_seconds("laptop", "m") is None


def test_a_passed_deadline_counts_as_slow() -> None:
    health = Health(clock=FakeClock())

    fail_requests(health, DeadlineExceeded("laptop", "Late."), 1.5, FEWEST_SAMPLES)

    assert health.snapshot().first_token_seconds("laptop", "m") == 1.5


def test_a_snapshot_does_not_change_any_more() -> None:
    health = Health(clock=FakeClock())
    before = health.snapshot()

    fail_requests(health, Unreachable("laptop", "Gone."), times=FAILURES_TO_OPEN)
    health.probe_failed("laptop", "Gone.")

    assert before.why_not("laptop", "m") is None
