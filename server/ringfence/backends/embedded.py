"""The embedded engine as a backend: started when it is first needed, spoken to as llama.cpp."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Protocol

from ringfence.config.settings import BackendKind
from ringfence.engine.errors import (
    EngineError,
    EngineNotInstalled,
    EngineNotReady,
    ModelNotInstalled,
    UnknownModel,
)
from ringfence.privacy import Endpoint, Fragment, Gate, Zone

from .errors import BackendError, ModelMissing, Overloaded, Unreachable
from .fim import FORMATS, format_of
from .llamacpp import LlamaCpp
from .values import Event, Generation, Model, Role

if TYPE_CHECKING:
    from ringfence.engine.catalogue import ModelCard
    from ringfence.engine.client import ModelChoice, RunningEngine

#: The context window that is counted on before the engine has started, in tokens.
EXPECTED_CONTEXT = 8192


class EngineHandle(Protocol):
    """What this backend needs of the engine."""

    async def ensure_started(self) -> RunningEngine:
        """Start the engine, or join the one that runs."""
        ...

    async def choose_model(self) -> ModelChoice:
        """Return the model that is served, or would be, starting nothing."""
        ...

    async def release(self) -> None:
        """Let go of the engine; it ends when nobody holds it."""
        ...


class Embedded:
    """The embedded engine.

    Args:
        gate: opens the connections.
        engine: starts the engine and knows its model.
        name: the configured name.
    """

    kind: str = BackendKind.ENGINE

    def __init__(self, gate: Gate, engine: EngineHandle, name: str = "engine") -> None:
        self._gate = gate
        self._engine = engine
        self._name = name
        self._server: LlamaCpp | None = None
        self._context = EXPECTED_CONTEXT
        self._starting = asyncio.Lock()

    @property
    def name(self) -> str:
        """The configured name."""
        return self._name

    @property
    def zone(self) -> Zone:
        """This device: the engine is a child of this program on a loopback address."""
        return Zone.DEVICE

    async def probe(self) -> None:
        """Ask a running engine for its health; one that is not needed yet is well."""
        if self._server is None:
            await self._card()
            return
        try:
            await self._server.probe()
        except Unreachable:
            # The supervisor brings it back at another address: find it again.
            await self._connect(anew=True)

    async def models(self) -> tuple[Model, ...]:
        """Return the model that the engine serves or would serve."""
        card = await self._card()
        format_ = FORMATS.get(card.fim or "") or format_of(card.fim, card.family, card.id)
        if format_ is None and card.path is not None:
            # A file of the user's own, whose name tells nothing: its vocabulary does.
            (served,) = await (await self._connect()).models()
            format_ = served.fim
        roles = {Role.EDIT} | ({Role.COMPLETION} if format_ else set())
        return (
            Model(
                id=card.id,
                backend=self._name,
                zone=Zone.DEVICE,
                locality="this program runs it on this machine",
                roles=frozenset(roles),
                family=card.family,
                parameters=card.parameters or None,
                quantization=card.quantization or None,
                context=self._context,
                fim=format_,
                fills_in_the_middle=format_ is not None,
                json_schema=True,
                weights_bytes=card.size_bytes or None,
                loaded=self._server is not None,
            ),
        )

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation; an engine that has gone is started again, once."""
        for anew in (False, True):
            server = await self._connect(anew=anew)
            events = server.generate(generation)
            begun = False
            try:
                async for event in events:
                    begun = True
                    yield event
                return
            except Unreachable:
                if begun or anew:
                    raise
            finally:
                await events.aclose()

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        """Count with the engine's tokenizer, if it runs."""
        return None if self._server is None else await self._server.count_tokens(model, text)

    async def warm(self, model: Model) -> None:
        """Start the engine, which loads its model."""
        del model
        await self._connect()

    async def aclose(self) -> None:
        """Release connections and the engine."""
        server, self._server = self._server, None
        if server is not None:
            await server.aclose()
        await self._engine.release()

    async def _card(self) -> ModelCard:
        try:
            choice = await self._engine.choose_model()
        except EngineError as error:
            raise _failure(self._name, error) from error
        if choice.installed is None:
            raise ModelMissing(
                self._name,
                "The embedded engine has no model yet; run: "
                f"ringfence models pull {choice.card.id}",
            )
        return choice.card

    async def _connect(self, *, anew: bool = False) -> LlamaCpp:
        async with self._starting:
            if self._server is not None and not anew:
                return self._server
            try:
                running = await self._engine.ensure_started()
            except EngineError as error:
                raise _failure(self._name, error) from error
            if self._server is not None:
                await self._server.aclose()
            endpoint = Endpoint(self._name, running.url, Zone.DEVICE, running.api_key)
            self._server = LlamaCpp(self._gate, endpoint)
            self._context = running.context
            return self._server


def _failure(name: str, error: EngineError) -> BackendError:
    words = str(error)
    sentence = words[:1].upper() + words[1:] + ("" if words.endswith(".") else ".")
    match error:
        case EngineNotReady():
            return Overloaded(name, sentence)
        case ModelNotInstalled() | UnknownModel() | EngineNotInstalled():
            return ModelMissing(name, sentence)
        case _:
            return Unreachable(name, sentence)
