"""One inline completion, from the request to the answer, with a scripted model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest

from ringfence.backends.errors import (
    BackendError,
    DeadlineExceeded,
    OutOfRing,
    Overloaded,
    Unreachable,
    Unsupported,
)
from ringfence.backends.values import (
    Event,
    FillInTheMiddle,
    Finished,
    FinishReason,
    Generation,
    Model,
    Role,
    TextDelta,
)
from ringfence.completion.service import CompletionService
from ringfence.completion.values import (
    CompletionRequest,
    EmptyReason,
    SelectedItem,
    Trigger,
)
from ringfence.config.settings import CompletionSettings
from ringfence.context.document import DocumentSnapshot, Position
from ringfence.privacy import Source, SourceKind, Zone
from ringfence.routing.decision import Decision, NoRoute
from ringfence.routing.task import Task

MODEL = Model("coder", "laptop", Zone.DEVICE, "loopback", frozenset({Role.COMPLETION}))


class ScriptedModels:
    """Routing with one model that streams what it is told to."""

    def __init__(
        self, *pieces: str, fails: BackendError | None = None, routes: bool = True
    ) -> None:
        self.pieces = pieces
        self.fails = fails
        self.routes = routes
        self.tasks: list[Task] = []
        self.generations: list[Generation] = []
        self.streamed: list[str] = []
        self.stopped = False
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def decide(self, task: Task) -> Decision | NoRoute:
        self.tasks.append(task)
        if not self.routes:
            return NoRoute("No model may be used here.", "Start Ollama.")
        return Decision((MODEL,), "it is near")

    async def stream(
        self, decision: Decision, generation: Callable[[Model], Generation]
    ) -> AsyncGenerator[Event | Model, None]:
        try:
            yield decision.model
            self.generations.append(generation(decision.model))
            self.asked.set()
            if self.fails is not None:
                raise self.fails
            for piece in self.pieces:
                await self.gate.wait()
                self.streamed.append(piece)
                yield TextDelta(piece)
            yield Finished(FinishReason.STOP)
        finally:
            self.stopped = True


def request_at(
    text: str,
    *,
    trigger: Trigger = Trigger.INVOKED,
    excluded: str | None = None,
    selected: SelectedItem | None = None,
    allow: Zone = Zone.DEVICE,
) -> CompletionRequest:
    before, after = text.split("|")
    lines = tuple(line + "\n" for line in (before + after).split("\n"))
    position = Position(before.count("\n"), len(before.rpartition("\n")[2]))
    return CompletionRequest(
        document=DocumentSnapshot("file:///project/a.py", 1, "python", lines),
        cursor=position,
        trigger=trigger,
        source=Source(SourceKind.DOCUMENT, allow=allow, folder="/project", file="a.py"),
        excluded=excluded,
        selected=selected,
    )


def service_with(models: ScriptedModels, **settings: object) -> CompletionService:
    return CompletionService(
        models, CompletionSettings.model_validate({"debounce_ms": 0, **settings})
    )


async def test_the_model_fills_the_line() -> None:
    models = ScriptedModels(" a", " + b")

    answer = await service_with(models).complete(request_at("def add(a, b):\n    return|"))

    assert [candidate.text for candidate in answer.candidates] == ["return a + b"]
    assert answer.candidates[0].start == Position(1, 4)
    assert answer.candidates[0].end == Position(1, 10)
    assert (answer.backend, answer.model, answer.zone) == ("laptop", "coder", Zone.DEVICE)
    assert answer.reason is None


async def test_the_prompt_is_labelled_with_the_documents_policy() -> None:
    models = ScriptedModels("1")

    await service_with(models).complete(request_at("x = |", allow=Zone.NETWORK))

    assert models.tasks[0].allow is Zone.NETWORK
    assert models.generations[0].clearance.zone is Zone.NETWORK
    assert isinstance(models.generations[0].prompt, FillInTheMiddle)


async def test_the_generation_is_stopped_when_the_line_is_whole() -> None:
    models = ScriptedModels("1\n", "y = 2\n", "z = 3\n")

    answer = await service_with(models).complete(request_at("x = |"))

    assert answer.candidates[0].text == "1"
    assert models.streamed == ["1\n"]
    assert models.stopped


async def test_the_next_key_that_agrees_asks_no_model() -> None:
    models = ScriptedModels("foo(1)")
    service = service_with(models)
    await service.complete(request_at("x = |"))

    answer = await service.complete(request_at("x = fo|", trigger=Trigger.AUTOMATIC))

    assert answer.cached
    assert answer.candidates[0].text == "foo(1)"
    assert len(models.generations) == 1


async def test_a_tightened_folder_is_asked_anew() -> None:
    models = ScriptedModels("foo(1)")
    service = service_with(models)
    await service.complete(request_at("x = |"))

    service.forget("/project")
    answer = await service.complete(request_at("x = fo|"))

    assert not answer.cached


async def test_a_selected_entry_is_extended() -> None:
    models = ScriptedModels("(1)")
    selected = SelectedItem(Position(0, 4), Position(0, 6), "format")

    answer = await service_with(models).complete(request_at("x = fo|", selected=selected))

    assert answer.candidates[0].text == "format(1)"
    assert answer.candidates[0].start == Position(0, 4)
    prompt = models.generations[0].prompt
    assert isinstance(prompt, FillInTheMiddle)
    assert prompt.prefix.text == "x = format"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unreachable("laptop", "Nothing answers."), EmptyReason.UNREACHABLE),
        (Overloaded("laptop", "Busy."), EmptyReason.OVERLOADED),
        (Unsupported("laptop", "No holes."), EmptyReason.NO_FIM),
        (DeadlineExceeded("laptop", "Too slow."), EmptyReason.DEADLINE),
        (OutOfRing("laptop", "Too far."), EmptyReason.BLOCKED),
        (BackendError("laptop", "Odd."), EmptyReason.FAILED),
    ],
)
async def test_a_failure_is_answered_with_its_reason(
    error: BackendError, reason: EmptyReason
) -> None:
    answer = await service_with(ScriptedModels(fails=error)).complete(request_at("x = |"))

    assert answer.candidates == ()
    assert answer.reason is reason
    assert answer.detail == str(error)
    assert answer.backend == "laptop"


async def test_no_route_says_what_would_make_it_work() -> None:
    answer = await service_with(ScriptedModels(routes=False)).complete(request_at("x = |"))

    assert answer.reason is EmptyReason.NO_ROUTE
    assert answer.detail == "No model may be used here. Start Ollama."


async def test_an_excluded_file_is_sent_nowhere() -> None:
    models = ScriptedModels("1")

    answer = await service_with(models).complete(
        request_at("x = |", excluded=".env files are never used")
    )

    assert answer.reason is EmptyReason.EXCLUDED
    assert answer.detail == ".env files are never used"
    assert models.tasks == []


@pytest.mark.parametrize(
    "settings", [{"enabled": False}, {"disabled_languages": ["python"]}], ids=["all", "language"]
)
async def test_switched_off_says_so(settings: dict[str, object]) -> None:
    answer = await service_with(ScriptedModels("1"), **settings).complete(request_at("x = |"))

    assert answer.reason is EmptyReason.DISABLED


async def test_typing_in_the_middle_of_code_is_not_disturbed() -> None:
    models = ScriptedModels("1")

    answer = await service_with(models).complete(request_at("x = | + 2", trigger=Trigger.AUTOMATIC))

    assert answer.reason is EmptyReason.SUPPRESSED
    assert models.tasks == []


async def test_an_empty_answer_of_the_model_says_so() -> None:
    answer = await service_with(ScriptedModels("\n")).complete(request_at("x = |"))

    assert answer.reason is EmptyReason.NOTHING


async def test_an_answer_that_only_repeats_says_so() -> None:
    answer = await service_with(ScriptedModels(")")).complete(request_at("f(|)"))

    assert answer.reason is EmptyReason.FILTERED


async def test_a_cancelled_request_stops_the_generation() -> None:
    models = ScriptedModels("1")
    models.gate.clear()
    task = asyncio.create_task(service_with(models).complete(request_at("x = |")))
    await models.asked.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert models.stopped
