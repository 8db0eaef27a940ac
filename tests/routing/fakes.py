"""Backends in memory, and the values that tests of routing are made from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ringfence.backends.errors import BackendError
from ringfence.backends.values import (
    Chat,
    ChatRole,
    Event,
    Finished,
    FinishReason,
    Generation,
    Message,
    Model,
    Role,
    TextDelta,
)
from ringfence.config.settings import RoutingSettings
from ringfence.privacy import Fragment, Source, SourceKind, Zone
from ringfence.routing.catalogue import CatalogueView, Listing
from ringfence.routing.decision import Decision, NoRoute
from ringfence.routing.health import Health, HealthSnapshot
from ringfence.routing.quantization import parse_parameters
from ringfence.routing.router import Facts, choose
from ringfence.routing.task import Task, TaskKind

#: One step of a scripted answer: an event, a failure, or a wait.
ScriptStep: TypeAlias = Event | BaseException | Callable[[], Any]

ALL_ROLES = frozenset(Role)


def model(
    id: str = "coder:7b",  # noqa: A002
    backend: str = "laptop",
    zone: Zone = Zone.DEVICE,
    parameters: str | None = "7.6B",
    quantization: str | None = "Q4_K_M",
    context: int | None = 32_768,
    fills: bool = True,
    **facts: Any,
) -> Model:
    """Return a model; by default a coder of 7.6B at Q4_K_M on this device."""
    return Model(
        id=id,
        backend=backend,
        zone=zone,
        locality="loopback address" if zone is Zone.DEVICE else "declared so",
        roles=facts.pop("roles", ALL_ROLES),
        parameters=parse_parameters(parameters),
        quantization=quantization,
        context=context,
        fills_in_the_middle=fills,
        tools=facts.pop("tools", True),
        json_schema=facts.pop("json_schema", True),
        **facts,
    )


def task(
    kind: TaskKind = TaskKind.EDIT,
    allow: Zone = Zone.DEVICE,
    prompt_tokens: int = 1000,
    output_tokens: int = 500,
    **facts: Any,
) -> Task:
    """Return a task; by default a small edit of code that stays on this device."""
    return Task(kind, prompt_tokens, output_tokens, allow, **facts)


def view(*models: Model) -> CatalogueView:
    """Return a view of ``models``, each backend declared in its nearest model's zone."""
    backends = dict.fromkeys(each.backend for each in models)
    return CatalogueView(
        tuple(
            Listing(
                name,
                min(each.zone for each in models if each.backend == name),
                tuple(each for each in models if each.backend == name),
                asked=True,
                answered_at=0.0,
            )
            for name in backends
        )
    )


def facts(
    *models: Model,
    settings: RoutingSettings | None = None,
    health: HealthSnapshot | None = None,
    room: int | None = None,
) -> Facts:
    """Return what a decision is made from."""
    return Facts(view(*models), settings or RoutingSettings(), health or HealthSnapshot(), room)


def chat(text: str = "hello", allow: Zone = Zone.DEVICE) -> Chat:
    """Return a chat of one turn that may travel as far as ``allow``."""
    fragment = Fragment(text, Source(SourceKind.DOCUMENT, allow=allow, folder="/w", file="a.py"))
    return Chat((Message(ChatRole.USER, (fragment,)),))


def generation(
    model: Model, allow: Zone = Zone.DEVICE, deadline: float = 30.0, **facts: Any
) -> Generation:
    """Return a request to ``model``."""
    return Generation(
        model=model,
        prompt=facts.pop("prompt", None) or chat(allow=allow),
        purpose="test",
        max_tokens=100,
        deadline=deadline,
        **facts,
    )


def answer(text: str = "ok", reason: FinishReason = FinishReason.STOP) -> list[ScriptStep]:
    """Return the script of an answer that goes well."""
    return [TextDelta(text), Finished(reason)]


@dataclass
class FakeBackend:
    """A backend that answers from scripts, and remembers what it was asked."""

    name: str = "laptop"
    zone: Zone = Zone.DEVICE
    served: Sequence[Model] | BaseException = ()
    scripts: list[list[ScriptStep]] = field(default_factory=list)
    probe_failures: list[BackendError] = field(default_factory=list)
    kind: str = "fake"
    tokens: int | BackendError | None = None
    counted: list[Fragment] = field(default_factory=list)
    asked: list[Generation] = field(default_factory=list)
    listed: int = 0
    probed: int = 0
    closed_streams: int = 0

    async def probe(self) -> None:
        self.probed += 1
        await asyncio.sleep(0)
        if self.probe_failures:
            raise self.probe_failures.pop(0)

    async def models(self) -> tuple[Model, ...]:
        self.listed += 1
        await asyncio.sleep(0)
        if isinstance(self.served, BaseException):
            raise self.served
        return tuple(self.served)

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        self.asked.append(generation)
        script = self.scripts.pop(0) if self.scripts else answer()
        try:
            for step in script:
                await asyncio.sleep(0)
                if isinstance(step, BaseException):
                    raise step
                if callable(step):
                    await step()
                else:
                    yield step
        finally:
            self.closed_streams += 1

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        self.counted.append(text)
        if isinstance(self.tokens, BackendError):
            raise self.tokens
        return self.tokens

    async def warm(self, model: Model) -> None: ...

    async def aclose(self) -> None: ...


class FakeClock:
    """Time that passes only when it is told to, and a sleep that tells it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


async def collect(stream: AsyncGenerator[Event | Model, None]) -> list[Event | Model]:
    """Read a stream to its end."""
    async with aclosing(stream) as events:
        return [event async for event in events]


def text_of(events: Sequence[Event | Model]) -> str:
    """Return the text of a stream's events."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def decide(the_task: Task, *models: Model, **known: Any) -> Decision:
    """Return the decision for a task, which there must be."""
    answer = choose(the_task, facts(*models, **known))
    assert isinstance(answer, Decision), answer
    return answer


def refuse(the_task: Task, *models: Model, **known: Any) -> NoRoute:
    """Return the refusal of a task, which there must be."""
    answer = choose(the_task, facts(*models, **known))
    assert isinstance(answer, NoRoute), answer
    return answer


def fail_requests(
    health: Health, error: BackendError, deadline: float = 30.0, times: int = 1
) -> None:
    """Let requests to the model ``m`` of ``laptop`` fail."""
    for _ in range(times):
        health.began("laptop", "m")
        health.failed("laptop", "m", error, deadline)
