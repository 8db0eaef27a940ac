"""A conversation as Anthropic's Messages write it."""

from __future__ import annotations

import json
from typing import Any

from ._json import dict_of
from .values import Chat, ChatRole, Generation, Message, ToolCall


def message_body(generation: Generation, prompt: Chat) -> dict[str, Any]:
    """Return the body of a request; a schema becomes a tool that must be called."""
    system = "\n\n".join(m.text for m in prompt.messages if m.role is ChatRole.SYSTEM)
    tools = [
        {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
        for tool in generation.tools
    ]
    body: dict[str, Any] = {
        "model": generation.model.id,
        "messages": _turns(prompt),
        "max_tokens": generation.max_tokens,
        "temperature": min(generation.temperature, 1.0),
        "stream": True,
    }
    if system:
        body["system"] = system
    if generation.stop:
        body["stop_sequences"] = list(generation.stop)
    if generation.schema is not None:
        name = generation.schema_name
        schema = dict(generation.schema)
        tools.append({"name": name, "description": "Give the answer.", "input_schema": schema})
        body["tool_choice"] = {"type": "tool", "name": name}
    if tools:
        body["tools"] = tools
    return body


def _turns(prompt: Chat) -> list[dict[str, Any]]:
    """Return the turns; those of one side in a row are one turn.

    The results of all calls of a turn must stand together in the next one.
    """
    turns: list[dict[str, Any]] = []
    for message in prompt.messages:
        if message.role is ChatRole.SYSTEM:
            continue
        role = "assistant" if message.role is ChatRole.ASSISTANT else "user"
        blocks = _blocks(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role is ChatRole.TOOL:
        return [
            {
                "type": "tool_result",
                "tool_use_id": message.tool_call_id,
                "content": message.text,
            }
        ]
    # Blocks of nothing but white space are refused.
    text = message.text
    blocks: list[dict[str, Any]] = [{"type": "text", "text": text}] if text.strip() else []
    return blocks + [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": arguments_of(call)}
        for call in message.tool_calls
    ]


def arguments_of(call: ToolCall) -> dict[str, Any]:
    """Return a call's arguments as an object; nothing for what a model wrote wrongly."""
    try:
        return dict(dict_of(json.loads(call.arguments)))
    except (ValueError, RecursionError):
        return {}
