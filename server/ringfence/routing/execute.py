"""Generating along a decision's chain: when to retry, when to go on, when to give up.

A fallback happens only before the first piece of an answer, and only to a model of the
chain that still lies within the ring when its turn comes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from ringfence.backends.errors import (
    BackendError,
    ContextOverflow,
    DeadlineExceeded,
    InvalidAnswer,
    ModelMissing,
    OutOfRing,
    Overloaded,
)
from ringfence.backends.protocol import Backend
from ringfence.backends.values import (
    Event,
    FillInTheMiddle,
    Finished,
    Generation,
    Model,
    TextDelta,
    Usage,
)
from ringfence.telemetry.outcomes import OK, Outcome, Outcomes, Stage

from .catalogue import Catalogue
from .decision import Decision
from .failures import Step, pause_before_retry, step_after
from .health import Health

MakeGeneration = Callable[[Model], Generation]
Learn = Callable[[Generation, Usage], None]


@dataclass(slots=True)
class _Attempt:
    """One request under way, as far as it has come."""

    model: Model
    number: int
    started: float
    deadline: float = 0.0
    purpose: str = ""
    first_token: float | None = None
    usage: Usage = dataclasses.field(default_factory=Usage)


class Executor:
    """Runs generations along decisions' chains, and reports how they ended.

    Args:
        catalogue: finds backends, and tells whether a model still is where it was.
        health: is told how each request ended, and refuses what fails again and again.
        outcomes: where each call is recorded.
        notify: is given one line when a fallback happened.
        learn: is given the token counts that a server reported for a generation.
        clock: monotonic seconds; replaced in tests.
        sleep: waits for seconds; replaced in tests.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        health: Health,
        outcomes: Outcomes,
        *,
        notify: Callable[[str], None] = lambda line: None,
        learn: Learn = lambda generation, usage: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._catalogue = catalogue
        self._health = health
        self._outcomes = outcomes
        self._notify = notify
        self._learn = learn
        self._clock = clock
        self._sleep = sleep

    async def stream(
        self, decision: Decision, make_generation: MakeGeneration
    ) -> AsyncGenerator[Event | Model, None]:
        """Generate with the first model of the chain that can.

        Yields each model before it is asked, then its events. Once an event has come from
        a model, no other one is asked.

        Args:
            decision: whom to ask, in order.
            make_generation: makes the request for a model. The deadline of the first one
                holds for all attempts together.

        Raises:
            BackendError: the failure of the last model that was asked.
        """
        started = self._clock()
        limit: float | None = None
        last: BackendError | None = None
        for number, model in enumerate(decision.chain, start=1):
            generation = make_generation(model)
            limit = generation.deadline if limit is None else limit
            refused = self._why_not_now(model, generation, last)
            if refused is not None:
                last = last if last is not None else refused
                continue
            if last is not None:
                self._notify(
                    f"{last} {model.id!r} on {model.backend!r} takes over ({model.zone.label})."
                )
            for attempts in (1, 2):
                left = limit - (self._clock() - started)
                if left <= 0:
                    raise last or DeadlineExceeded(
                        model.backend, f"No time was left to ask {model.backend!r}."
                    )
                attempt = _Attempt(model, number, self._clock(), left, generation.purpose)
                try:
                    async with aclosing(
                        self._attempt(dataclasses.replace(generation, deadline=left), attempt)
                    ) as events:
                        async for event in events:
                            yield event
                except BackendError as error:
                    if attempt.first_token is not None:
                        raise
                    last = error
                    self._look_again(error)
                    retries = not isinstance(generation.prompt, FillInTheMiddle)
                    step = step_after(error, attempts, retries=retries)
                else:
                    return
                if step is Step.GIVE_UP:
                    raise last
                if step is Step.NEXT:
                    break
                await self._sleep(pause_before_retry(last))
        assert last is not None, "a decision's chain is never empty"
        raise last

    async def _attempt(
        self, generation: Generation, attempt: _Attempt
    ) -> AsyncGenerator[Event | Model, None]:
        """Ask one model once; health and telemetry hear how it ended, whatever happens."""
        model = generation.model
        self._health.began(model.backend, model.id)
        try:
            yield attempt.model
            async with aclosing(self._events(generation)) as events:
                async for event in events:
                    if attempt.first_token is None:
                        attempt.first_token = self._clock() - attempt.started
                    if isinstance(event, Finished):
                        attempt.usage = event.usage
                    yield event
        except BackendError as error:
            self._health.failed(model.backend, model.id, error, attempt.deadline)
            self._record(attempt, error.code, str(error))
            raise
        except GeneratorExit:
            # The reader has all it wants, or gave up before anything came.
            self._closed(attempt)
            raise
        except asyncio.CancelledError:
            self._health.abandoned(model.backend, model.id)
            self._record(attempt, "cancelled", "")
            raise
        except Exception as error:
            self._health.abandoned(model.backend, model.id)
            self._record(attempt, "failed", f"A bug in Ringfence: {type(error).__name__}.")
            raise
        self._health.succeeded(model.backend, model.id, attempt.first_token)
        self._record(attempt, OK, "")
        self._learn(generation, attempt.usage)

    async def _events(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Read the backend's stream under an outer deadline."""
        backend = self._backend(generation.model)
        end = asyncio.get_running_loop().time() + generation.deadline
        finished = False
        async with aclosing(backend.generate(generation)) as events:
            while True:
                try:
                    async with asyncio.timeout_at(end):
                        event = await anext(events, None)
                except TimeoutError as error:
                    raise DeadlineExceeded(
                        backend.name,
                        f"{backend.name!r} did not finish within {generation.deadline:.1f} s.",
                    ) from error
                if event is None:
                    break
                finished = finished or isinstance(event, Finished)
                # An empty piece is no answer yet: a fallback is still possible after it.
                if not (isinstance(event, TextDelta) and not event.text):
                    yield event
        if not finished:
            raise InvalidAnswer(backend.name, f"{backend.name!r} ended its answer too early.")

    def _why_not_now(
        self, model: Model, generation: Generation, last: BackendError | None
    ) -> BackendError | None:
        """Return why a model of the chain cannot be asked any more, as the error it gives."""
        name = model.backend
        if generation.model != model:
            raise ValueError("the generation is for another model than the one decided on")
        current = self._catalogue.view.find(name, model.id)
        zone = model.zone if current is None else max(model.zone, current.zone)
        if zone > generation.clearance.zone:
            return OutOfRing(
                name,
                f"{model.id!r} on {name!r} is computed in {zone.label!r}, and this text may "
                f"reach {generation.clearance.zone.label!r} at most.",
            )
        if current is None:
            return ModelMissing(name, f"{name!r} no longer serves {model.id!r}.")
        if isinstance(last, ContextOverflow) and (model.context or math.inf) <= (last.context or 0):
            return last
        if not self._health.admits(name, model.id):
            why = self._health.snapshot().why_not(name, model.id)
            return Overloaded(name, " ".join(why) if why else f"{name!r} is being tried again.")
        return None

    def _backend(self, model: Model) -> Backend:
        backend = self._catalogue.backend(model.backend)
        if backend is None:
            raise ModelMissing(model.backend, f"{model.backend!r} is no longer configured.")
        return backend

    def _look_again(self, error: BackendError) -> None:
        """After an answer that contradicts the catalogue, ask that backend again soon."""
        if isinstance(error, ModelMissing | OutOfRing | ContextOverflow):
            self._catalogue.expire(error.backend)

    def _closed(self, attempt: _Attempt) -> None:
        name, model = attempt.model.backend, attempt.model.id
        if attempt.first_token is None:
            self._health.abandoned(name, model)
            self._record(attempt, "cancelled", "")
        else:
            self._health.succeeded(name, model, attempt.first_token)
            self._record(attempt, OK, "")

    def _record(self, attempt: _Attempt, result: str, detail: str) -> None:
        model, usage = attempt.model, attempt.usage
        first = attempt.first_token
        self._outcomes.record(
            Outcome(
                time=time.time(),
                stage=Stage.CALL,
                purpose=attempt.purpose,
                result=result,
                total_ms=(self._clock() - attempt.started) * 1000,
                detail=detail,
                backend=model.backend,
                model=model.id,
                zone=model.zone,
                attempt=attempt.number,
                first_token_ms=None if first is None else first * 1000,
                prompt_tokens=usage.prompt_tokens,
                cached_tokens=usage.cached_tokens,
                output_tokens=usage.output_tokens,
            )
        )
