"""Chats with OpenAI-compatible servers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from ._completions import finish_reason, usage_of
from ._http import Server
from ._json import dict_of, dicts_of, int_of, text_of
from ._schema import strict
from ._sse import json_events
from .fim import MOST_STOPS
from .values import (
    Chat,
    Event,
    Finished,
    FinishReason,
    Generation,
    Message,
    TextDelta,
    Tool,
    ToolCall,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of server says the same things.

    Attributes:
        path: where it takes chats.
        limit: its name for the most tokens of an answer.
        seed: its name for the seed; None for a server that takes none.
        usage: whether token counts must be asked for.
        strict: whether schemas are held to strict mode's subset.
        sampling: whether it takes a temperature and stop strings.
        extra: what it takes besides.
    """

    path: str = "/v1/chat/completions"
    limit: str = "max_tokens"
    seed: str | None = "seed"
    usage: bool = True
    strict: bool = False
    sampling: bool = True
    extra: Mapping[str, Any] = field(default_factory=dict)


async def chat(
    server: Server, generation: Generation, prompt: Chat, dialect: Dialect
) -> AsyncGenerator[Event, None]:
    """Stream the next turn of a conversation.

    Args:
        server: where to ask.
        generation: what to generate.
        prompt: the conversation.
        dialect: how this kind of server wants to be asked.

    Raises:
        BackendError: by what went wrong.
    """
    name, model = server.name, generation.model.id
    calls: dict[int, ToolCall] = {}
    usage, reason, served, refused = Usage(), "", "", False
    async with (
        server.stream(dialect.path, _body(generation, prompt, dialect), generation) as answer,
        aclosing(json_events(answer, name, model)) as events,
    ):
        async for event in events:
            usage = usage_of(event, usage)
            served = text_of(event.get("model")) or served
            for choice in dicts_of(event.get("choices")):
                delta = dict_of(choice.get("delta"))
                if text := text_of(delta.get("content")):
                    yield TextDelta(text)
                refused = refused or bool(delta.get("refusal"))
                for part in dicts_of(delta.get("tool_calls")):
                    _add_call(calls, part)
                reason = text_of(choice.get("finish_reason")) or reason
    ended = FinishReason.REFUSAL if refused else finish_reason(reason, name)
    if calls and ended is FinishReason.STOP:
        # Some servers call tools and say that they merely stopped.
        ended = FinishReason.TOOL_CALLS
    yield Finished(ended, usage, tuple(calls.values()), served or None)


def _body(generation: Generation, prompt: Chat, dialect: Dialect) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": generation.model.id,
        "messages": [_message(message) for message in prompt.messages],
        dialect.limit: generation.max_tokens,
        "stream": True,
    }
    if dialect.usage:
        body["stream_options"] = {"include_usage": True}
    if dialect.sampling:
        body["temperature"] = generation.temperature
        if generation.stop:
            body["stop"] = list(generation.stop[:MOST_STOPS])
    if generation.seed is not None and dialect.seed is not None:
        body[dialect.seed] = generation.seed
    if generation.schema is not None:
        body["response_format"] = _response_format(generation, generation.schema, dialect)
    if generation.tools:
        body["tools"] = [function_tool(tool) for tool in generation.tools]
    return body | dict(dialect.extra)


def _response_format(
    generation: Generation, schema: Mapping[str, Any], dialect: Dialect
) -> dict[str, Any]:
    narrowed = strict(schema) if dialect.strict else dict(schema)
    described = {
        "name": generation.schema_name,
        "schema": dict(schema) if narrowed is None else narrowed,
        "strict": narrowed is not None,
    }
    return {"type": "json_schema", "json_schema": described}


def function_tool(tool: Tool) -> dict[str, Any]:
    """Return a tool as OpenAI's protocol writes it, and others after it."""
    return {
        "type": "function",
        "function": {
            "name": tool.name,
            "description": tool.description,
            "parameters": dict(tool.parameters),
        },
    }


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
    index = int_of(part.get("index")) or 0
    known = calls.get(index, ToolCall("", "", ""))
    function = dict_of(part.get("function"))
    calls[index] = ToolCall(
        text_of(part.get("id")) or known.id,
        known.name + text_of(function.get("name")),
        known.arguments + text_of(function.get("arguments")),
    )
