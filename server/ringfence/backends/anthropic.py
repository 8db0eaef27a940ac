"""Anthropic's Messages: its OpenAI layer ignores strict schemas, so its own is spoken."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ringfence.config.settings import BackendKind, ModelSettings
from ringfence.privacy import Endpoint, Fragment, Gate, Zone

from ._completions import finish_reason, refuse_error
from ._facts import merge
from ._http import Server
from ._sse import json_events
from .errors import InvalidAnswer, Unsupported
from .urls import normalized
from .values import (
    Chat,
    ChatRole,
    Event,
    Finished,
    FinishReason,
    Generation,
    Message,
    Model,
    Role,
    TextDelta,
    ToolCall,
    Usage,
)

#: The version of the interface that this module was written for.
_VERSION = "2023-06-01"


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
        self._server = Server(gate, normalized(endpoint), headers)
        self._said = models

    @property
    def name(self) -> str:
        """The configured name."""
        return self._server.endpoint.name

    @property
    def zone(self) -> Zone:
        """The declared zone."""
        return self._server.endpoint.zone

    async def probe(self) -> None:
        """Ask for the list of models: cheap, and it needs the key."""
        await self._listed()

    async def models(self) -> tuple[Model, ...]:
        """Return the models that the user named, or all that are listed."""
        ids = [said.id for said in self._said] or [
            str(entry["id"]) for entry in await self._listed()
        ]
        words = {said.id: said for said in self._said}
        return tuple(
            merge(
                Model(
                    id=id_,
                    backend=self.name,
                    zone=Zone.CLOUD,
                    locality="as declared",
                    roles=frozenset({Role.EDIT, Role.AGENT}),
                    tools=True,
                    json_schema=True,
                ),
                words.get(id_),
            )
            for id_ in ids
        )

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation."""
        if not isinstance(generation.prompt, Chat):
            raise Unsupported(self.name, f"{generation.model.id!r} cannot fill in the middle.")
        calls: dict[int, ToolCall] = {}
        read = cached = written = reason = None
        body = _body(generation, generation.prompt)
        async with (
            self._server.stream("/v1/messages", body, generation) as response,
            aclosing(json_events(response, self.name, last="message_stop")) as events,
        ):
            async for event in events:
                refuse_error(event, self.name)
                match event.get("type"):
                    case "message_start":
                        usage = (event.get("message") or {}).get("usage") or {}
                        read = usage.get("input_tokens")
                        cached = usage.get("cache_read_input_tokens")
                    case "content_block_start":
                        block = event.get("content_block") or {}
                        if block.get("type") == "tool_use":
                            call = ToolCall(str(block.get("id")), str(block.get("name")), "")
                            calls[int(event.get("index") or 0)] = call
                    case "content_block_delta":
                        delta = event.get("delta") or {}
                        index = int(event.get("index") or 0)
                        if delta.get("type") == "text_delta":
                            yield TextDelta(str(delta.get("text") or ""))
                        elif delta.get("type") == "input_json_delta" and index in calls:
                            calls[index] = _longer(calls[index], str(delta.get("partial_json")))
                    case "message_delta":
                        reason = (event.get("delta") or {}).get("stop_reason") or reason
                        written = (event.get("usage") or {}).get("output_tokens", written)
        ended = finish_reason(reason, self.name)
        forced = generation.schema is not None
        if forced and ended is FinishReason.TOOL_CALLS:
            # A schema is held to by a tool that must be called; its input is the answer.
            yield TextDelta(next(iter(calls.values())).arguments)
            ended, calls = FinishReason.STOP, {}
        yield Finished(ended, Usage(read, cached, written), tuple(calls.values()))

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

    async def _listed(self) -> list[Mapping[str, Any]]:
        answer = await self._server.get("/v1/models", "model list")
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, list):
            raise InvalidAnswer(self.name, f"What answers as {self.name!r} is not Anthropic's.")
        return [entry for entry in data if isinstance(entry, dict) and "id" in entry]


def _body(generation: Generation, prompt: Chat) -> dict[str, Any]:
    system = "\n\n".join(m.text for m in prompt.messages if m.role is ChatRole.SYSTEM)
    tools = [
        {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
        for tool in generation.tools
    ]
    body: dict[str, Any] = {
        "model": generation.model.id,
        "messages": [_message(m) for m in prompt.messages if m.role is not ChatRole.SYSTEM],
        "max_tokens": generation.max_tokens,
        "temperature": generation.temperature,
        "stream": True,
    }
    if system:
        body["system"] = system
    if generation.stop:
        body["stop_sequences"] = list(generation.stop)
    if generation.schema is not None:
        name = generation.schema_name
        tools.append(
            {
                "name": name,
                "description": "Give the answer.",
                "input_schema": dict(generation.schema),
            }
        )
        body["tool_choice"] = {"type": "tool", "name": name}
    if tools:
        body["tools"] = tools
    return body


def _message(message: Message) -> dict[str, Any]:
    if message.role is ChatRole.TOOL:
        result = {
            "type": "tool_result",
            "tool_use_id": message.tool_call_id,
            "content": message.text,
        }
        return {"role": "user", "content": [result]}
    if not message.tool_calls:
        return {"role": message.role.value, "content": message.text}
    blocks: list[dict[str, Any]] = [{"type": "text", "text": message.text}] if message.text else []
    blocks += [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
        for call in message.tool_calls
    ]
    return {"role": "assistant", "content": blocks}


def _longer(call: ToolCall, more: str) -> ToolCall:
    return ToolCall(call.id, call.name, call.arguments + more)
