"""Chats with OpenAI-compatible servers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ._completions import finish_reason, refuse_error, usage_of
from ._http import Server
from ._sse import json_events
from .values import (
    Chat,
    Event,
    Finished,
    FinishReason,
    Generation,
    Message,
    TextDelta,
    ToolCall,
    Usage,
)


async def chat(
    server: Server,
    generation: Generation,
    prompt: Chat,
    extra: Mapping[str, Any],
    path: str = "/v1/chat/completions",
    seed_field: str = "seed",
) -> AsyncGenerator[Event, None]:
    """Stream the next turn of a conversation.

    Args:
        server: where to ask.
        generation: what to generate.
        prompt: the conversation.
        extra: what this kind of server takes besides.
        path: where the server takes chats.
        seed_field: what the server calls a seed.

    Raises:
        BackendError: by what went wrong.
    """
    name = server.endpoint.name
    calls: dict[int, ToolCall] = {}
    usage, reason, served, refused = Usage(), None, None, False
    async with (
        server.stream(
            path, _body(generation, prompt, seed_field) | dict(extra), generation
        ) as response,
        aclosing(json_events(response, name)) as events,
    ):
        async for event in events:
            refuse_error(event, name)
            usage = usage_of(event, usage)
            served = event.get("model", served)
            for choice in event.get("choices") or ():
                delta = choice.get("delta") or {}
                if delta.get("content"):
                    yield TextDelta(delta["content"])
                refused = refused or bool(delta.get("refusal"))
                for part in delta.get("tool_calls") or ():
                    _add_call(calls, part)
                reason = choice.get("finish_reason") or reason
    ended = FinishReason.REFUSAL if refused else finish_reason(reason, name)
    yield Finished(ended, usage, tuple(calls.values()), served)


def _body(generation: Generation, prompt: Chat, seed_field: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": generation.model.id,
        "messages": [_message(message) for message in prompt.messages],
        "max_tokens": generation.max_tokens,
        "temperature": generation.temperature,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if generation.stop:
        body["stop"] = list(generation.stop[:4])
    if generation.seed is not None:
        body[seed_field] = generation.seed
    if generation.schema is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {
                "name": generation.schema_name,
                "schema": dict(generation.schema),
                "strict": True,
            },
        }
    if generation.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                },
            }
            for tool in generation.tools
        ]
    return body


def _message(message: Message) -> dict[str, Any]:
    plain: dict[str, Any] = {"role": message.role.value, "content": message.text}
    if message.tool_calls:
        plain["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        plain["tool_call_id"] = message.tool_call_id
    return plain


def _add_call(calls: dict[int, ToolCall], part: Mapping[str, Any]) -> None:
    """Put the next piece of a tool call, which is streamed in pieces, where it belongs."""
    index = int(part.get("index") or 0)
    known = calls.get(index, ToolCall("", "", ""))
    function = part.get("function") or {}
    calls[index] = ToolCall(
        part.get("id") or known.id,
        known.name + (function.get("name") or ""),
        known.arguments + (function.get("arguments") or ""),
    )
