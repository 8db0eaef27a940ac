"""The one protocol that every kind of model server is spoken to through."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from ringfence.privacy import Fragment, Zone

from .values import Event, Generation, Model


class Backend(Protocol):
    """A model server.

    Every method raises a subclass of ``BackendError`` when it fails, and nothing else
    but ``asyncio.CancelledError``.
    """

    @property
    def name(self) -> str:
        """The configured name."""
        ...

    @property
    def kind(self) -> str:
        """The kind of server, a word of the configuration."""
        ...

    @property
    def zone(self) -> Zone:
        """The declared zone; a model may be farther away (``Model.zone``)."""
        ...

    async def probe(self) -> None:
        """Ask the server by its own health route whether it can work; never generates."""
        ...

    async def models(self) -> tuple[Model, ...]:
        """Ask what the server serves now."""
        ...

    def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation: text deltas, then exactly one ``Finished``.

        Closing the generator (``contextlib.aclosing``) or cancelling the task stops the
        generation at the server.
        """
        ...

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        """Count ``text`` in the model's own tokens; None where the server cannot."""
        ...

    async def warm(self, model: Model) -> None:
        """Load the model without generating, where the server can."""
        ...

    async def aclose(self) -> None:
        """Release connections."""
        ...
