"""Anthropic's Messages: its OpenAI layer ignores strict schemas, so its own is spoken."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ringfence.config.settings import BackendKind, ModelSettings
from ringfence.privacy import Endpoint, Fragment, Gate, Zone

from ._anthropic_body import message_body
from ._completions import finish_reason, no_fim
from ._facts import merge, roles_of
from ._http import Server
from ._json import dict_of, dicts_of, int_of, text_of
from ._sse import json_events
from .errors import InvalidAnswer
from .urls import at_root
from .values import (
    Chat,
    Event,
    Finished,
    FinishReason,
    Generation,
    Model,
    TextDelta,
    ToolCall,
    Usage,
)

#: The version of the interface that this module was written for.
_VERSION = "2023-06-01"

#: Tokens that Anthropic's models have read for years; newer ones may read more.
_CONTEXT = 200_000


class Anthropic:
    """Anthropic's platform.

    Args:
        gate: opens the connections.
        endpoint: where the platform is.
        models: the user's words on its models.
    """

    kind: str = BackendKind.ANTHROPIC

    def __init__(
        self, gate: Gate, endpoint: Endpoint, models: tuple[ModelSettings, ...] = ()
    ) -> None:
        headers = {"anthropic-version": _VERSION}
        if endpoint.api_key:
            headers["x-api-key"] = endpoint.api_key
        self._server = Server(gate, at_root(endpoint), headers)
        self._said = {said.id: said for said in models}

    @property
    def name(self) -> str:
        """The configured name."""
        return self._server.name

    @property
    def zone(self) -> Zone:
        """The declared zone."""
        return self._server.endpoint.zone

    async def probe(self) -> None:
        """Ask for the list of models: cheap, and it needs the key."""
        await self._listed()

    async def models(self) -> tuple[Model, ...]:
        """Return the models that the user named, or all that are listed."""
        listed = {str(entry.get("id")): entry for entry in await self._listed()}
        return tuple(
            merge(self._model(id_, listed.get(id_, {})), self._said.get(id_))
            for id_ in self._said or listed
        )

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation."""
        if not isinstance(generation.prompt, Chat):
            raise no_fim(self.name, generation.model.id)
        turn = _Turn()
        body = message_body(generation, generation.prompt)
        async with (
            self._server.stream("/v1/messages", body, generation) as answer,
            aclosing(json_events(answer, self.name, generation.model.id, _is_last)) as events,
        ):
            async for event in events:
                if text := turn.take(event):
                    yield TextDelta(text)
        ended = finish_reason(turn.reason, self.name)
        if generation.schema is not None and ended is FinishReason.TOOL_CALLS and turn.calls:
            # A schema is held to by a tool that must be called; its input is the answer.
            yield TextDelta(next(iter(turn.calls.values())).arguments)
            yield Finished(FinishReason.STOP, turn.usage, served_model=turn.served)
            return
        yield Finished(ended, turn.usage, tuple(turn.calls.values()), turn.served)

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        """Return None: counting would send the text."""
        del model, text
        return None

    async def warm(self, model: Model) -> None:
        """Do nothing: the platform loads its models."""
        del model

    async def aclose(self) -> None:
        """Release connections."""
        await self._server.aclose()

    def _model(self, id_: str, entry: Mapping[str, Any]) -> Model:
        return Model(
            id=id_,
            backend=self.name,
            zone=Zone.CLOUD,
            locality="as declared",
            roles=roles_of(completes=False, calls_tools=True),
            context=int_of(entry.get("max_input_tokens")) or _CONTEXT,
            tools=True,
            json_schema=True,
        )

    async def _listed(self) -> list[Mapping[str, Any]]:
        answer = await self._server.get("/v1/models?limit=100", "model list")
        data = dict_of(answer).get("data")
        if not isinstance(data, list):
            raise InvalidAnswer(
                self.name, f"What answers as {self.name!r} is not Anthropic's; check its kind."
            )
        return dicts_of(data)


def _is_last(event: Mapping[str, Any]) -> bool:
    return event.get("type") == "message_stop"


class _Turn:
    """What an answer's events add up to."""

    def __init__(self) -> None:
        self.calls: dict[int, ToolCall] = {}
        self.usage = Usage()
        self.reason = ""
        self.served: str | None = None

    def take(self, event: Mapping[str, Any]) -> str:
        """Take in the next event, and return the text it adds."""
        index = int_of(event.get("index")) or 0
        match event.get("type"):
            case "message_start":
                message = dict_of(event.get("message"))
                usage = dict_of(message.get("usage"))
                self.served = text_of(message.get("model")) or None
                self._count(usage)
            case "content_block_start":
                block = dict_of(event.get("content_block"))
                if block.get("type") == "tool_use":
                    self.calls[index] = ToolCall(
                        text_of(block.get("id")), text_of(block.get("name")), ""
                    )
            case "content_block_delta":
                delta = dict_of(event.get("delta"))
                if delta.get("type") == "text_delta":
                    return text_of(delta.get("text"))
                if delta.get("type") == "input_json_delta" and index in self.calls:
                    call = self.calls[index]
                    more = text_of(delta.get("partial_json"))
                    self.calls[index] = ToolCall(call.id, call.name, call.arguments + more)
            case "message_delta":
                delta = dict_of(event.get("delta"))
                self.reason = text_of(delta.get("stop_reason")) or self.reason
                written = int_of(dict_of(event.get("usage")).get("output_tokens"))
                self.usage = Usage(self.usage.prompt_tokens, self.usage.cached_tokens, written)
        return ""

    def _count(self, usage: Mapping[str, Any]) -> None:
        """Add up the prompt, of which Anthropic tells the cached part apart."""
        cached = int_of(usage.get("cache_read_input_tokens"))
        parts = (
            int_of(usage.get("input_tokens")),
            cached,
            int_of(usage.get("cache_creation_input_tokens")),
        )
        known = [part for part in parts if part is not None]
        self.usage = Usage(sum(known) if known else None, cached)
