"""Many tasks against servers that fail: each ends well or with the right error, in its ring."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator

from ringfence.backends.errors import (
    BackendError,
    ContextOverflow,
    DeadlineExceeded,
    InvalidAnswer,
    ModelMissing,
    OutOfRing,
    Overloaded,
    Refused,
    Unreachable,
)
from ringfence.backends.values import Event, Finished, FinishReason, Generation, Model, TextDelta
from ringfence.config.settings import RoutingSettings
from ringfence.privacy import Zone
from ringfence.routing.catalogue import Catalogue
from ringfence.routing.decision import Decision
from ringfence.routing.execute import Executor
from ringfence.routing.health import Health
from ringfence.routing.router import Facts, choose
from ringfence.routing.task import TaskKind
from ringfence.telemetry.outcomes import Outcomes
from tests.routing.fakes import (
    FakeBackend,
    FakeClock,
    ScriptStep,
    answer,
    collect,
    generation,
    model,
    task,
    text_of,
)

FAULT_RATE = 0.3
KINDS = tuple(TaskKind)


async def never() -> None:
    await asyncio.Event().wait()


def faults(backend: str) -> list[list[ScriptStep]]:
    """Return one script for each way in which a server fails."""
    start = TextDelta("half of ")
    return [
        [Unreachable(backend, "Nothing answers.")],
        [Overloaded(backend, "Busy.", retry_after=1)],
        [Refused(backend, "The key is wrong.")],
        [ModelMissing(backend, "It is gone.")],
        [ContextOverflow(backend, "Too long.", context=32_768)],
        [OutOfRing(backend, "Blocked.")],
        [DeadlineExceeded(backend, "Late.")],
        [InvalidAnswer(backend, "Nonsense.")],
        [start, Unreachable(backend, "Gone.")],
        [start, InvalidAnswer(backend, "Broken off.")],
        [start],
        [],
        [never],
        [start, never],
    ]


class Faulty(FakeBackend):
    """Answers with a fault now and then; remembers requests that should not have come."""

    def __init__(self, name: str, zone: Zone, dice: random.Random) -> None:
        served = [model(f"{name}-a", name, zone), model(f"{name}-b", name, zone, "70B", "Q8_0")]
        super().__init__(name, zone, served)
        self.dice = dice
        self.outside: list[Generation] = []

    def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        if generation.clearance.zone < self.zone:
            self.outside.append(generation)
        faulty = self.dice.random() < FAULT_RATE
        self.scripts = [self.dice.choice(faults(self.name)) if faulty else answer("whole")]
        return super().generate(generation)


async def test_a_thousand_tasks_with_faults_end_well_or_with_the_right_error_in_their_ring() -> (
    None
):
    dice = random.Random(4)
    backends = [
        Faulty("laptop", Zone.DEVICE, dice),
        Faulty("team", Zone.NETWORK, dice),
        Faulty("cloud", Zone.CLOUD, dice),
    ]
    clock = FakeClock()
    catalogue = Catalogue(backends)
    health, outcomes = Health(clock=clock), Outcomes(kept=10_000)
    executor = Executor(catalogue, health, outcomes, clock=clock, sleep=clock.sleep)
    await catalogue.refresh()
    ends: Counter[str] = Counter()

    for number in range(1000):
        clock.now += 5
        allow = Zone(number % 3)
        wanted = task(KINDS[number % len(KINDS)], allow, deadline=0.02)
        decided = choose(wanted, Facts(catalogue.view, RoutingSettings(), health.snapshot()))
        if not isinstance(decided, Decision):
            assert decided.reason
            assert decided.remedy
            ends["refused"] += 1
            continue

        def make(chosen: Model, allow: Zone = allow) -> Generation:
            return generation(chosen, allow=allow, deadline=0.02)

        try:
            async with asyncio.timeout(10):
                events = await collect(executor.stream(decided, make))
        except BackendError as error:
            ends[error.code] += 1
        else:
            assert text_of(events) == "whole"
            assert events[-1] == Finished(FinishReason.STOP)
            ends["ok"] += 1

    assert ends.total() == 1000
    assert ends["ok"] > 700
    assert not [each for backend in backends for each in backend.outside]
    assert not health.snapshot().in_flight
    assert all(backend.closed_streams == len(backend.asked) for backend in backends)
    assert len(asyncio.all_tasks()) == 1


async def test_thousands_of_cancelled_requests_leave_nothing_behind() -> None:
    backend = FakeBackend(served=[model()])
    catalogue = Catalogue([backend])
    health = Health()
    executor = Executor(catalogue, health, Outcomes())
    await catalogue.refresh()
    decision = Decision((model(),), "because")
    dice = random.Random(5)

    for _ in range(3000):
        backend.scripts = [[TextDelta("a"), never]]
        reading = asyncio.create_task(collect(executor.stream(decision, generation)))
        for _ in range(dice.randrange(6)):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
        assert reading.cancelled()

    assert not health.snapshot().in_flight
    assert backend.closed_streams == len(backend.asked) > 1000
    assert health.admits("laptop", "coder:7b")
    assert len(asyncio.all_tasks()) == 1
