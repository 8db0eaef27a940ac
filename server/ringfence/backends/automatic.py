"""``kind: auto``: a backend that finds out what it speaks to when it is first asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

from ringfence.config.settings import BackendKind
from ringfence.privacy import Endpoint, Fragment, Gate, Zone

from .detect import detect
from .errors import BackendError, InvalidAnswer
from .protocol import Backend
from .values import Event, Generation, Model


class Automatic:
    """A server of a kind that is not known yet.

    Args:
        gate: opens the connections.
        endpoint: where the server is.
        make: makes a backend of the kind that was found.
    """

    def __init__(
        self, gate: Gate, endpoint: Endpoint, make: Callable[[BackendKind], Backend]
    ) -> None:
        self._gate = gate
        self._endpoint = endpoint
        self._make = make
        self._found: Backend | None = None
        self._finding = asyncio.Lock()

    @property
    def name(self) -> str:
        """The configured name."""
        return self._endpoint.name

    @property
    def kind(self) -> str:
        """The kind that was found, or ``auto``."""
        return self._found.kind if self._found is not None else BackendKind.AUTO

    @property
    def zone(self) -> Zone:
        """The declared zone."""
        return self._endpoint.zone

    async def probe(self) -> None:
        """Probe the server by the way of its kind; another kind may be there since."""
        backend = await self._backend()
        try:
            await backend.probe()
        except InvalidAnswer:
            await self._look_again(backend)
            raise

    async def models(self) -> tuple[Model, ...]:
        """Ask what the server serves now."""
        return await (await self._backend()).models()

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation."""
        events = (await self._backend()).generate(generation)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        """Count ``text`` where the server can."""
        return await (await self._backend()).count_tokens(model, text)

    async def warm(self, model: Model) -> None:
        """Load the model where the server can."""
        await (await self._backend()).warm(model)

    async def aclose(self) -> None:
        """Release connections."""
        found, self._found = self._found, None
        if found is not None:
            await found.aclose()

    async def _backend(self) -> Backend:
        async with self._finding:
            if self._found is None:
                self._found = self._make(await detect(self._gate, self._endpoint))
            return self._found

    async def _look_again(self, known: Backend) -> None:
        """Change over to another kind, if the server has changed its own.

        A server that merely does not answer well keeps its backend, and so the
        generations that are under way.
        """
        try:
            kind = await detect(self._gate, self._endpoint)
        except BackendError:
            return
        if kind != known.kind and self._found is known:
            self._found = self._make(kind)
            await known.aclose()
