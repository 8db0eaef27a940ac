"""The embedded engine as a backend: started when it is first needed, spoken to as llama.cpp."""

from __future__ import annotations

import asyncio
import dataclasses
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

from ._facts import roles_of
from .errors import BackendError, ModelMissing, Overloaded, Unreachable
from .fim import format_of, named_format
from .llamacpp import LlamaCpp
from .values import Event, Generation, Model

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
            await self._connect(self._server)

    async def models(self) -> tuple[Model, ...]:
        """Return the model that the engine serves or would serve."""
        card = await self._card()
        format_ = (named_format(card.fim) if card.fim else None) or format_of(card.family, card.id)
        if format_ is None and card.path is not None:
            # A file of the user's own, whose name tells nothing: its vocabulary does.
            (served,) = await (await self._connect()).models()
            format_ = served.fim
        return (
            Model(
                id=card.id,
                backend=self._name,
                zone=Zone.DEVICE,
                locality="this program runs it on this machine",
                roles=roles_of(completes=format_ is not None, calls_tools=False),
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
        loop = asyncio.get_running_loop()
        until = loop.time() + generation.deadline
        gone: LlamaCpp | None = None
        while True:
            server = await self._connect_before(until, gone)
            left = max(until - loop.time(), 0.0)
            events = server.generate(dataclasses.replace(generation, deadline=left))
            begun = False
            try:
                async for event in events:
                    begun = True
                    yield event
                return
            except Unreachable:
                if begun or gone is not None:
                    raise
                gone = server
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

    async def _connect_before(self, until: float, gone: LlamaCpp | None) -> LlamaCpp:
        """Connect within a deadline; the engine goes on starting when it passes."""
        try:
            async with asyncio.timeout_at(until):
                return await self._connect(gone)
        except TimeoutError as error:
            raise Overloaded(
                self._name, "The embedded engine is still loading its model; try again soon."
            ) from error

    async def _connect(self, gone: LlamaCpp | None = None) -> LlamaCpp:
        """Return the engine's server.

        Args:
            gone: one that answers no more; it is not returned again.
        """
        async with self._starting:
            if self._server is not None and self._server is not gone:
                return self._server
            try:
                running = await self._engine.ensure_started()
            except EngineError as error:
                raise _failure(self._name, error) from error
            old, self._server = self._server, None
            if old is not None:
                await old.aclose()
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
