"""Mistral's platform: OpenAI's protocol for chats, an endpoint of its own for holes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ringfence.config.settings import BackendKind

from ._completions import finish_reason, refuse_error, usage_of
from ._openai_chat import chat
from ._sse import json_events
from .openai import OpenAI
from .values import (
    Chat,
    Event,
    FillInTheMiddle,
    Finished,
    Generation,
    Model,
    Role,
    TextDelta,
    Usage,
)


class Mistral(OpenAI):
    """Mistral's platform. It names the seed ``random_seed`` and tells usage unasked."""

    kind: str = BackendKind.MISTRAL

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation."""
        prompt = generation.prompt
        if isinstance(prompt, Chat):
            events = chat(self._server, generation, prompt, {}, seed_field="random_seed")
        else:
            events = self._fill(generation, prompt)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def _fill(
        self, generation: Generation, prompt: FillInTheMiddle
    ) -> AsyncGenerator[Event, None]:
        body: dict[str, Any] = {
            "model": generation.model.id,
            "prompt": prompt.prefix.text,
            "suffix": prompt.suffix.text,
            "max_tokens": generation.max_tokens,
            "temperature": generation.temperature,
            "stream": True,
        }
        if generation.stop:
            body["stop"] = list(generation.stop)
        usage, reason, served = Usage(), None, None
        async with (
            self._server.stream("/v1/fim/completions", body, generation) as response,
            aclosing(json_events(response, self.name)) as events,
        ):
            async for event in events:
                refuse_error(event, self.name)
                usage = usage_of(event, usage)
                served = event.get("model", served)
                for choice in event.get("choices") or ():
                    text = (choice.get("delta") or {}).get("content")
                    if text:
                        yield TextDelta(text)
                    reason = choice.get("finish_reason") or reason
        yield Finished(finish_reason(reason, self.name), usage, served_model=served)

    def _model(self, id_: str, entry: Mapping[str, Any]) -> Model:
        fills = bool((entry.get("capabilities") or {}).get("completion_fim")) or "codestral" in id_
        zone, locality = self._place()
        return Model(
            id=id_,
            backend=self.name,
            zone=zone,
            locality=locality,
            roles=frozenset({Role.EDIT, Role.AGENT} | ({Role.COMPLETION} if fills else set())),
            context=entry.get("max_context_length"),
            fills_in_the_middle=fills,
            tools=True,
            json_schema=True,
        )
