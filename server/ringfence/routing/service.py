"""Routing as the features use it: decide, then generate; and what keeps it up to date."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from ringfence.backends.errors import BackendError
from ringfence.backends.protocol import Backend
from ringfence.backends.values import Event, Model
from ringfence.config.settings import Settings
from ringfence.privacy import Fragment
from ringfence.telemetry.outcomes import Outcomes

from .activity import Activity
from .catalogue import Catalogue
from .decision import Decision, NoRoute
from .execute import Executor, MakeGeneration
from .explain import as_json, as_text
from .health import Health
from .memory import MEASUREMENT_SECONDS, MemoryWatch
from .probes import Probes
from .router import Facts, Router
from .task import Task
from .tokens import TokenCorrections, estimate_tokens

#: The longest time a decision waits for backends that have not been heard of yet.
LONGEST_WAIT_SECONDS = 5.0


class Routing:
    """One catalogue, its health, and the decisions made from them.

    ``run`` belongs in a background task for as long as the program lives; a program that
    ends soon calls ``refresh`` once instead.

    Args:
        backends: in the order of the configuration.
        settings: the user's settings.
        outcomes: where calls are recorded.
        memory: measures the room for models on this device.
        notify: is given one line when a fallback happened.
    """

    def __init__(
        self,
        backends: Sequence[Backend],
        settings: Settings,
        outcomes: Outcomes,
        *,
        memory: MemoryWatch | None = None,
        notify: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.activity = Activity()
        self.catalogue = Catalogue(backends, activity=self.activity)
        self.health = Health(longest_pause=settings.health.interval_seconds)
        self._settings = settings
        self.memory = memory or MemoryWatch(settings.memory.limit_gb)
        self._probes = Probes(
            backends,
            self.health,
            settings.health,
            activity=self.activity,
            recovered=self.catalogue.refresh,
        )
        self._router = Router(self.facts)
        self._corrections = TokenCorrections()
        self._executor = Executor(
            self.catalogue, self.health, outcomes, notify=notify, learn=self._corrections.learn
        )

    def facts(self) -> Facts:
        """What decisions are made from at this moment."""
        room = self.memory.room
        return Facts(
            view=self.catalogue.view,
            settings=self._settings.routing,
            health=self.health.snapshot(),
            room=None if room is None else room.bytes,
            factors=self._corrections.factors(),
        )

    async def decide(self, task: Task) -> Decision | NoRoute:
        """Choose a model for ``task``; waits only for backends never heard of, and not long."""
        self.activity.touch()
        if self.memory.room is None:
            await self.memory.refresh()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(task.deadline, LONGEST_WAIT_SECONDS)):
                await self.catalogue.ready(within=task.allow)
        return self._router.decide(task)

    def stream(
        self, decision: Decision, generation: MakeGeneration
    ) -> AsyncGenerator[Event | Model, None]:
        """Generate along the decision's chain; each model is yielded before it is asked."""
        return self._executor.stream(decision, generation)

    async def explain(self, task: Task) -> tuple[dict[str, Any], str]:
        """Return the decision for ``task`` as JSON values and as text; nothing is sent."""
        answer = await self.decide(task)
        return as_json(task, answer), as_text(task, answer)

    async def count_tokens(self, model: Model, text: Fragment) -> int:
        """Count with the backend's tokenizer where it has one, else estimate on the high side.

        Text that may not reach the model is estimated here.
        """
        backend = self.catalogue.backend(model.backend)
        counted: int | None = None
        if backend is not None and model.zone <= text.source.allow:
            with contextlib.suppress(BackendError):
                counted = await backend.count_tokens(model, text)
        if counted is not None:
            return counted
        factor = self._corrections.factor(model.backend, model.id)
        return math.ceil(estimate_tokens(text.text) * factor)

    async def refresh(self) -> None:
        """Ask every backend once what it serves."""
        await self.catalogue.refresh()

    async def run(self) -> None:
        """Keep the catalogue and the health up to date; ends by cancellation."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.catalogue.run())
            group.create_task(self._probes.run())
            group.create_task(self._watch_memory())

    async def _watch_memory(self) -> None:
        while True:
            await self.activity.wait()
            await self.memory.refresh()
            await asyncio.sleep(MEASUREMENT_SECONDS)
