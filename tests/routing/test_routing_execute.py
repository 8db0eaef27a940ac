"""Generating along a chain."""

from __future__ import annotations

import asyncio

import pytest

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
    Unsupported,
)
from ringfence.backends.values import FillInTheMiddle, Model, TextDelta
from ringfence.privacy import Fragment, Source, SourceKind, Zone
from ringfence.routing.breaker import FAILURES_TO_OPEN
from ringfence.routing.catalogue import Catalogue
from ringfence.routing.decision import Decision
from ringfence.routing.execute import Executor
from ringfence.routing.health import Health
from ringfence.telemetry.outcomes import Outcomes
from tests.routing.fakes import (
    FakeBackend,
    FakeClock,
    ScriptStep,
    answer,
    collect,
    generation,
    model,
    text_of,
)

NEAR = model("near", "laptop")
SECOND = model("second", "desk", context=65_536)


class Bench:
    """Two backends with one model each, and an executor over them."""

    def __init__(self, near: list[list[ScriptStep]], second: list[list[ScriptStep]]) -> None:
        self.clock = FakeClock()
        self.near = FakeBackend("laptop", served=[NEAR], scripts=near)
        self.second = FakeBackend("desk", served=[SECOND], scripts=second)
        self.catalogue = Catalogue([self.near, self.second])
        self.health = Health(clock=self.clock)
        self.outcomes = Outcomes()
        self.notices: list[str] = []
        self.executor = Executor(
            self.catalogue,
            self.health,
            self.outcomes,
            notify=self.notices.append,
            clock=self.clock,
            sleep=self.clock.sleep,
        )
        self.decision = Decision((NEAR, SECOND), "because")

    async def run(self, **facts: object) -> str:
        await self.catalogue.refresh()
        stream = self.executor.stream(
            self.decision,
            lambda chosen: generation(chosen, **facts),  # type: ignore[arg-type]
        )
        return text_of(await collect(stream))

    @property
    def results(self) -> list[tuple[str | None, str]]:
        return [(outcome.model, outcome.result) for outcome in self.outcomes.recent()]


async def test_the_first_model_of_the_chain_answers() -> None:
    bench = Bench([answer("hi")], [])

    text = await bench.run()

    assert text == "hi"
    assert bench.results == [("near", "ok")]
    assert not bench.second.asked
    assert not bench.notices


async def test_each_model_is_announced_before_it_is_asked() -> None:
    bench = Bench([[Refused("laptop", "No.")]], [answer("hi")])
    await bench.catalogue.refresh()

    events = await collect(bench.executor.stream(bench.decision, generation))

    assert [event.id for event in events if isinstance(event, Model)] == ["near", "second"]


@pytest.mark.parametrize(
    "error",
    [
        Refused("laptop", "The key is wrong."),
        ModelMissing("laptop", "It is gone."),
        Unsupported("laptop", "It cannot."),
        ContextOverflow("laptop", "Too long.", context=32_768),
        InvalidAnswer("laptop", "Nonsense."),
        OutOfRing("laptop", "Blocked."),
    ],
    ids=lambda error: error.code,
)
async def test_a_failure_that_a_retry_cannot_mend_goes_to_the_next_model(
    error: BackendError,
) -> None:
    bench = Bench([[error]], [answer("from second")])

    text = await bench.run()

    assert text == "from second"
    assert len(bench.near.asked) == 1
    assert bench.results == [("near", error.code), ("second", "ok")]
    assert len(bench.notices) == 1
    assert str(error) in bench.notices[0]
    assert "'second'" in bench.notices[0]


@pytest.mark.parametrize(
    ("error", "pause"),
    [
        (Unreachable("laptop", "Nothing answers."), 0.3),
        (Overloaded("laptop", "Busy.", retry_after=2.0), 2.0),
        (Overloaded("laptop", "Busy."), 0.3),
    ],
)
async def test_a_passing_failure_is_retried_once(error: BackendError, pause: float) -> None:
    bench = Bench([[error], answer("second try")], [])

    text = await bench.run()

    assert text == "second try"
    assert bench.clock.slept == [pause]
    assert not bench.notices


async def test_a_long_wait_is_not_waited_for() -> None:
    bench = Bench([[Overloaded("laptop", "Busy.", retry_after=60)]], [answer("other")])

    assert await bench.run() == "other"
    assert bench.clock.slept == []


async def test_an_inline_completion_is_never_retried() -> None:
    bench = Bench([[Unreachable("laptop", "Nothing answers.")]], [answer("other")])
    source = Source(SourceKind.DOCUMENT)
    hole = FillInTheMiddle(Fragment("a", source), Fragment("b", source))

    text = await bench.run(prompt=hole)

    assert text == "other"
    assert len(bench.near.asked) == 1
    assert bench.clock.slept == []


async def test_nothing_takes_over_once_a_piece_has_come() -> None:
    bench = Bench([[TextDelta("half"), Unreachable("laptop", "Gone.")]], [answer("other")])

    with pytest.raises(Unreachable, match="Gone"):
        await bench.run()

    assert not bench.second.asked
    assert not bench.notices
    assert bench.results == [("near", "unreachable")]


async def test_an_empty_piece_does_not_commit_to_a_model() -> None:
    bench = Bench([[TextDelta(""), Refused("laptop", "No.")]], [answer("other")])

    assert await bench.run() == "other"


async def test_a_passed_deadline_gives_up() -> None:
    bench = Bench([[DeadlineExceeded("laptop", "Too late.")]], [answer("other")])

    with pytest.raises(DeadlineExceeded):
        await bench.run()

    assert not bench.second.asked


async def test_a_server_that_hangs_is_given_up_at_the_deadline() -> None:
    bench = Bench([[asyncio.Event().wait]], [])

    with pytest.raises(DeadlineExceeded, match="'laptop' did not finish"):
        await bench.run(deadline=0.01)

    assert bench.near.closed_streams == 1


async def test_the_deadline_holds_for_all_attempts_together() -> None:
    bench = Bench([[Unreachable("laptop", "Gone."), *answer()], answer()], [])
    bench.clock.now = 0.0

    await bench.run(deadline=10.0)

    assert [asked.deadline for asked in bench.near.asked] == [10.0, pytest.approx(9.7)]


async def test_a_bug_is_neither_retried_nor_passed_on() -> None:
    bench = Bench([[RuntimeError("a bug")]], [answer("other")])

    with pytest.raises(RuntimeError):
        await bench.run()

    assert not bench.second.asked
    assert bench.results == [("near", "failed")]
    assert bench.health.admits("laptop", "near")


async def test_an_answer_without_an_end_is_no_success() -> None:
    bench = Bench([[TextDelta("half")]], [])

    with pytest.raises(InvalidAnswer, match="too early"):
        await bench.run()


async def test_a_model_that_moved_out_of_the_ring_is_not_asked() -> None:
    bench = Bench([], [answer("other")])
    await bench.catalogue.refresh()
    bench.near.served = [model("near", "laptop", zone=Zone.CLOUD)]

    text = await bench.run()

    assert text == "other"
    assert not bench.near.asked


async def test_a_decision_of_another_ring_is_refused_whole() -> None:
    far = model("far", "laptop", zone=Zone.CLOUD)
    bench = Bench([], [])
    bench.near.served = [far]
    bench.decision = Decision((far,), "a mistake")

    with pytest.raises(OutOfRing, match=r"'cloud'.*'device'"):
        await bench.run()

    assert not bench.near.asked


async def test_after_an_overflow_only_a_larger_context_is_asked() -> None:
    bench = Bench([[ContextOverflow("laptop", "Too long.", 70_000, 32_768)]], [])
    bench.second.served = [model("second", "desk", context=32_768)]
    bench.decision = Decision((NEAR, bench.second.served[0]), "because")

    with pytest.raises(ContextOverflow):
        await bench.run()

    assert not bench.second.asked


async def test_a_model_that_keeps_failing_is_passed_over() -> None:
    bench = Bench([[InvalidAnswer("laptop", "Bad.")] for _ in range(FAILURES_TO_OPEN)], [])

    for _ in range(FAILURES_TO_OPEN + 1):
        assert await bench.run() == "ok"

    assert len(bench.near.asked) == FAILURES_TO_OPEN


async def test_a_reader_that_has_enough_stops_the_generation_and_counts_as_success() -> None:
    bench = Bench([[TextDelta("a"), asyncio.Event().wait]], [])
    await bench.catalogue.refresh()
    stream = bench.executor.stream(bench.decision, generation)

    async for event in stream:
        if isinstance(event, TextDelta):
            break
    await stream.aclose()

    assert bench.near.closed_streams == 1
    assert bench.results == [("near", "ok")]


async def test_a_cancelled_reader_stops_the_generation_and_blames_nobody() -> None:
    begun = asyncio.Event()

    async def hang() -> None:
        begun.set()
        await asyncio.Event().wait()

    bench = Bench([[hang] for _ in range(FAILURES_TO_OPEN + 1)], [])
    await bench.catalogue.refresh()

    for _ in range(FAILURES_TO_OPEN + 1):
        begun.clear()
        reading = asyncio.create_task(collect(bench.executor.stream(bench.decision, generation)))
        await begun.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading

    assert bench.near.closed_streams == FAILURES_TO_OPEN + 1
    assert {result for _, result in bench.results} == {"cancelled"}
    assert bench.health.admits("laptop", "near")
    assert not bench.health.snapshot().in_flight
