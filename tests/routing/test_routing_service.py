"""Routing as the features use it."""

from __future__ import annotations

import asyncio

import pytest

from ringfence.backends.errors import Unreachable
from ringfence.backends.values import Finished, FinishReason, TextDelta, Usage
from ringfence.config.settings import Settings
from ringfence.engine.machine import Machine
from ringfence.privacy import Fragment, Source, SourceKind, Zone
from ringfence.routing.decision import Decision, NoRoute
from ringfence.routing.memory import MemoryWatch
from ringfence.routing.service import Routing
from ringfence.routing.task import TaskKind
from ringfence.routing.tokens import estimate_tokens
from ringfence.telemetry.outcomes import Outcomes
from tests.routing.fakes import (
    FakeBackend,
    ScriptStep,
    answer,
    chat,
    collect,
    generation,
    model,
    task,
    text_of,
)

GIB = 1024**3


def routing(*backends: FakeBackend, free: int = 64 * GIB, **told: list[str]) -> Routing:
    notices = told.get("notices", [])
    return Routing(
        backends,
        Settings(),
        Outcomes(),
        memory=MemoryWatch(measure=lambda: (Machine(4, 4, 64 * GIB, free), 0)),
        notify=notices.append,
    )


async def test_a_task_is_decided_and_done() -> None:
    service = routing(FakeBackend(served=[model()], scripts=[answer("done")]))
    await service.refresh()

    decision = await service.decide(task())

    assert isinstance(decision, Decision)
    assert text_of(await collect(service.stream(decision, generation))) == "done"


async def test_the_first_decision_waits_for_the_first_listing() -> None:
    service = routing(FakeBackend(served=[model()]))
    running = asyncio.create_task(service.run())

    decision = await service.decide(task())

    assert isinstance(decision, Decision)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_a_decision_does_not_wait_for_longer_than_its_deadline() -> None:
    service = routing(FakeBackend(served=[model()]))

    decision = await service.decide(task(deadline=0.01))

    assert isinstance(decision, NoRoute)
    assert "not yet said what it serves" in decision.reason


async def test_a_private_task_does_not_wait_for_the_cloud() -> None:
    cloud = FakeBackend("cloud", Zone.CLOUD, [model("far", "cloud", Zone.CLOUD)])
    service = routing(FakeBackend(served=[model()]), cloud)
    await service.catalogue.refresh("laptop")

    decision = await service.decide(task(deadline=60))

    assert isinstance(decision, Decision)
    assert not cloud.listed


async def test_memory_bounds_what_is_chosen() -> None:
    service = routing(FakeBackend(served=[model()]), free=2 * GIB)
    await service.refresh()

    decision = await service.decide(task())

    assert isinstance(decision, NoRoute)
    assert "It does not fit" in decision.reason


async def test_an_explanation_comes_as_values_and_as_text() -> None:
    cloud = FakeBackend("cloud", Zone.CLOUD, [model("far", "cloud", Zone.CLOUD)])
    service = routing(FakeBackend(served=[model()]), cloud)
    await service.refresh()

    values, text = await service.explain(task(TaskKind.COMPLETION))

    assert values["model"] == "coder:7b"
    assert values["zone"] == "device"
    assert values["fallbacks"] == []
    assert values["rejected"][0]["filter"] == "policy"
    assert "[policy] far on 'cloud'" in text
    assert "allow: cloud" in text


async def test_a_fallback_is_told_in_one_line() -> None:
    notices: list[str] = []
    near = FakeBackend(served=[model("near")], scripts=[[Unreachable("laptop", "Gone.")]] * 2)
    team = FakeBackend("team", Zone.NETWORK, [model("theirs", "team", Zone.NETWORK)])
    service = routing(near, team, notices=notices)
    await service.refresh()
    decision = await service.decide(task(allow=Zone.NETWORK))
    assert isinstance(decision, Decision)

    await collect(service.stream(decision, lambda chosen: generation(chosen, allow=Zone.NETWORK)))

    assert notices == ["Gone. 'theirs' on 'team' takes over (network)."]


async def test_what_servers_count_corrects_later_decisions() -> None:
    counted: list[ScriptStep] = [
        TextDelta("ok"),
        Finished(FinishReason.STOP, Usage(prompt_tokens=5000)),
    ]
    service = routing(FakeBackend(served=[model()], scripts=[counted]))
    await service.refresh()
    decision = await service.decide(task())
    assert isinstance(decision, Decision)

    await collect(
        service.stream(decision, lambda chosen: generation(chosen, prompt=chat("word " * 1000)))
    )

    assert service.facts().factors["laptop", "coder:7b"] == 4.0


TEXT = Fragment("some words", Source(SourceKind.DOCUMENT, allow=Zone.NETWORK))


async def test_tokens_are_counted_by_the_server_where_it_can() -> None:
    service = routing(FakeBackend(tokens=77))

    assert await service.count_tokens(model(), TEXT) == 77


@pytest.mark.parametrize("told", [None, Unreachable("laptop", "Gone.")])
async def test_tokens_are_estimated_where_it_cannot(told: Unreachable | None) -> None:
    service = routing(FakeBackend(tokens=told))

    assert await service.count_tokens(model(), TEXT) == estimate_tokens(TEXT.text)


async def test_counting_tokens_sends_no_text_out_of_its_ring() -> None:
    backend = FakeBackend("cloud", Zone.CLOUD, tokens=77)
    service = routing(backend)

    counted = await service.count_tokens(model("far", "cloud", Zone.CLOUD), TEXT)

    assert counted == estimate_tokens(TEXT.text)
    assert not backend.counted
