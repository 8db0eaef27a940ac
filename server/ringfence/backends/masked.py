"""A backend seen through a mask: secrets stay on the device, and come back restored."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncGenerator

from ringfence.privacy import Fragment, Zone
from ringfence.privacy.masking import Masker, RestoreFailed, StreamRestorer

from .errors import InvalidAnswer
from .protocol import Backend
from .values import Chat, Event, FillInTheMiddle, Finished, Generation, Message, Model, TextDelta


class Masked:
    """Masks what another backend is about to send off this device.

    Args:
        backend: who sends it.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    @property
    def name(self) -> str:
        """The configured name."""
        return self._backend.name

    @property
    def kind(self) -> str:
        """The kind of server."""
        return self._backend.kind

    @property
    def zone(self) -> Zone:
        """The declared zone."""
        return self._backend.zone

    async def probe(self) -> None:
        """Probe the server."""
        await self._backend.probe()

    async def models(self) -> tuple[Model, ...]:
        """Ask what the server serves now."""
        return await self._backend.models()

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation whose secrets, if it leaves the device, are masked.

        Raises:
            InvalidAnswer: when a masked secret comes back damaged.
        """
        masker = Masker()
        if generation.model.zone > Zone.DEVICE and generation.clearance.redact:
            generation = dataclasses.replace(generation, prompt=_masked(generation.prompt, masker))
        events = self._backend.generate(generation)
        try:
            if not masker.count:
                async for event in events:
                    yield event
                return
            restorer = StreamRestorer(masker)
            async for event in events:
                for restored in _restored(event, masker, restorer):
                    yield restored
        except RestoreFailed as error:
            raise InvalidAnswer(
                self.name, f"The answer of {self.name!r} is not used: {error}."
            ) from error
        finally:
            await events.aclose()

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        """Count ``text`` where that sends it nowhere else."""
        if model.zone > Zone.DEVICE:
            return None
        return await self._backend.count_tokens(model, text)

    async def warm(self, model: Model) -> None:
        """Load the model where the server can."""
        await self._backend.warm(model)

    async def aclose(self) -> None:
        """Release connections."""
        await self._backend.aclose()


def _masked(prompt: Chat | FillInTheMiddle, masker: Masker) -> Chat | FillInTheMiddle:
    def mask(fragment: Fragment) -> Fragment:
        if not fragment.source.redact:
            return fragment
        return dataclasses.replace(fragment, text=masker.mask(fragment.text))

    if isinstance(prompt, FillInTheMiddle):
        return FillInTheMiddle(
            mask(prompt.prefix), mask(prompt.suffix), tuple(map(mask, prompt.related))
        )
    return Chat(
        tuple(
            Message(
                message.role,
                tuple(map(mask, message.content)),
                message.tool_calls,
                message.tool_call_id,
            )
            for message in prompt.messages
        )
    )


def _restored(event: Event, masker: Masker, restorer: StreamRestorer) -> list[Event]:
    if isinstance(event, TextDelta):
        text = restorer.feed(event.text)
        return [TextDelta(text)] if text else []
    rest = restorer.finish()
    calls = tuple(
        dataclasses.replace(call, arguments=masker.restore(call.arguments))
        for call in event.tool_calls
    )
    last: Finished = dataclasses.replace(event, tool_calls=calls)
    return [TextDelta(rest), last] if rest else [last]
