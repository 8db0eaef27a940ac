"""A cursor in, ghost text out: the whole way of one inline completion.

``CompletionRequest → Window → FillInTheMiddle → Decision → Streamed → Candidate``; each
step is a plain value that the next one is made from.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from ringfence.backends.errors import (
    BackendError,
    DeadlineExceeded,
    ModelMissing,
    OutOfRing,
    Overloaded,
    Unreachable,
    Unsupported,
)
from ringfence.backends.values import Event, Generation, Model
from ringfence.config.settings import CompletionSettings
from ringfence.routing.decision import Decision, NoRoute
from ringfence.routing.task import Task, TaskKind

from .answer import AnswerBuilder
from .cache import CachedCompletion, TypeThroughCache
from .polish import polish
from .prompt import CHARACTERS_PER_TOKEN, count_upper_bound, fill_in_the_middle
from .shape import Shape, choose_shape
from .stream import collect
from .suppression import why_suppressed
from .values import CompletionAnswer, CompletionRequest, EmptyReason, Trigger
from .window import Window, cut_window

#: Most tokens of a completion that is one line.
LINE_TOKENS = 48

_REASONS: tuple[tuple[type[BackendError], EmptyReason], ...] = (
    (DeadlineExceeded, EmptyReason.DEADLINE),
    (OutOfRing, EmptyReason.BLOCKED),
    (Overloaded, EmptyReason.OVERLOADED),
    (Unreachable, EmptyReason.UNREACHABLE),
    (ModelMissing, EmptyReason.NO_MODEL),
    (Unsupported, EmptyReason.NO_FIM),
)


class Models(Protocol):
    """What the service needs of routing."""

    async def decide(self, task: Task) -> Decision | NoRoute:
        """Choose a model and its fallbacks."""
        ...

    def stream(
        self, decision: Decision, generation: Callable[[Model], Generation]
    ) -> AsyncGenerator[Event | Model, None]:
        """Generate along the decision's chain; each model that is tried is yielded first."""
        ...


@dataclass(frozen=True, slots=True)
class _Served:
    """What one model gave for one window."""

    text: str
    model: Model
    first_token: float | None


class CompletionService:
    """Answers completion requests.

    Args:
        models: routing, which chooses who generates.
        settings: the user's settings.
    """

    def __init__(self, models: Models, settings: CompletionSettings) -> None:
        self._models = models
        self._settings = settings
        self._cache = TypeThroughCache()
        self._numbers = itertools.count(1)
        self._running: dict[str | None, set[asyncio.Task[Any]]] = {}

    def forget(self, folder: str | None) -> None:
        """Drop and abort what holds text of ``folder``: its policy has been tightened."""
        self._cache.forget(folder)
        for task in self._running.get(folder, ()):
            task.cancel()

    async def complete(self, request: CompletionRequest) -> CompletionAnswer:
        """Answer ``request`` with candidates, or with the reason why there are none.

        Raises:
            asyncio.CancelledError: when the request is cancelled; the generation has then
                been stopped at the server.
        """
        started = time.perf_counter()
        answer = AnswerBuilder(f"c{next(self._numbers)}", request, started)
        refused = self._why_not(request)
        if refused is not None:
            return answer.empty(*refused)
        window = self._window(request)
        suppressed = why_suppressed(window, request.trigger)
        if suppressed is not None and request.selected is None:
            return answer.empty(EmptyReason.SUPPRESSED, f"Nothing is offered here: {suppressed}.")
        cached = self._cache.get(request.document.uri, request.source, window)
        if cached is not None:
            return answer.cached(cached, window)
        try:
            with self._abortable(request.source.folder):
                return await self._ask(request, window, answer)
        except BackendError as error:
            return answer.empty(_reason_of(error), str(error), backend=error.backend)

    @contextmanager
    def _abortable(self, folder: str | None) -> Iterator[None]:
        """Let ``forget`` cancel the current task while it holds text of ``folder``."""
        task = asyncio.current_task()
        assert task is not None
        running = self._running.setdefault(folder, set())
        running.add(task)
        try:
            yield
        finally:
            running.discard(task)

    async def _ask(
        self, request: CompletionRequest, window: Window, answer: AnswerBuilder
    ) -> CompletionAnswer:
        if request.trigger is Trigger.AUTOMATIC:
            await asyncio.sleep(self._settings.debounce_ms / 1000)
        shape = choose_shape(window, self._settings.multiline)
        prompt = fill_in_the_middle(window, request.source)
        deadline = self._settings.deadline_ms / 1000
        tokens = self._output_tokens(shape)
        decision = await self._models.decide(
            Task(
                kind=TaskKind.COMPLETION,
                prompt_tokens=count_upper_bound(prompt),
                output_tokens=tokens,
                allow=request.source.allow,
                deadline=deadline,
            )
        )
        if isinstance(decision, NoRoute):
            return answer.empty(
                EmptyReason.NO_ROUTE, f"{decision.reason} {decision.remedy}".strip()
            )

        def generation(model: Model) -> Generation:
            return Generation(
                model=model,
                prompt=prompt,
                purpose="inline completion",
                max_tokens=tokens,
                deadline=deadline,
            )

        served = await self._generate(decision, generation, window, shape, answer)
        polished = polish(served.text, window)
        if polished.refused_by is not None:
            reason = EmptyReason.FILTERED if served.text.strip() else EmptyReason.NOTHING
            return answer.empty(reason, f"Nothing is shown: {polished.refused_by}.", served.model)
        completion = CachedCompletion(
            polished.text, served.model.backend, served.model.id, served.model.zone
        )
        self._cache.put(request.document.uri, request.source, window, completion)
        return answer.fresh(completion, window, served.first_token)

    async def _generate(
        self,
        decision: Decision,
        generation: Callable[[Model], Generation],
        window: Window,
        shape: Shape,
        answer: AnswerBuilder,
    ) -> _Served:
        serving = decision.model

        async def events() -> AsyncGenerator[Event, None]:
            nonlocal serving
            stream = self._models.stream(decision, generation)
            try:
                async for event in stream:
                    if isinstance(event, Model):
                        serving = event
                    else:
                        yield event
            finally:
                await stream.aclose()

        streamed = await collect(events(), window, shape, answer.started)
        return _Served(streamed.text, serving, streamed.first_token)

    def _why_not(self, request: CompletionRequest) -> tuple[EmptyReason, str] | None:
        if not self._settings.enabled:
            return EmptyReason.DISABLED, "Completions are switched off (completion.enabled)."
        if request.document.language in self._settings.disabled_languages:
            return (
                EmptyReason.DISABLED,
                f"{request.document.language} is in completion.disabled_languages.",
            )
        if request.excluded is not None:
            return EmptyReason.EXCLUDED, request.excluded
        return None

    def _window(self, request: CompletionRequest) -> Window:
        window = cut_window(
            request.document,
            request.cursor,
            self._settings.prefix_tokens * CHARACTERS_PER_TOKEN,
            self._settings.suffix_tokens * CHARACTERS_PER_TOKEN,
        )
        return window if request.selected is None else _with_selected(window, request)

    def _output_tokens(self, shape: Shape) -> int:
        most = self._settings.max_tokens
        return min(LINE_TOKENS, most) if shape is Shape.LINE else most


def _with_selected(window: Window, request: CompletionRequest) -> Window:
    """Return the window as if the selected entry of the editor's list had been accepted."""
    selected = request.selected
    assert selected is not None
    replaced = max(0, request.cursor.column - selected.start.column)
    kept = len(window.line_before) - replaced
    line_before = window.line_before[:kept] + selected.text
    return Window(
        before=window.before[: len(window.before) - replaced] + selected.text,
        after=window.after,
        line_before=line_before,
        line_after=window.line_after,
        above=window.above,
    )


def _reason_of(error: BackendError) -> EmptyReason:
    return next(
        (reason for kind, reason in _REASONS if isinstance(error, kind)), EmptyReason.FAILED
    )
