"""Requests as Ollama's own interface takes them, and the end of its answers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._anthropic_body import arguments_of
from ._completions import finish_reason, no_fim
from ._json import dict_of, int_of, text_of
from ._openai_chat import function_tool
from .fim_prompt import render, stops
from .values import (
    Chat,
    FillInTheMiddle,
    Finished,
    FinishReason,
    Generation,
    Message,
    ToolCall,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Profile:
    """How a model is loaded; a change of it loads the model anew.

    Attributes:
        context: the context window, in tokens.
        keep_alive: how long it stays loaded, as Ollama writes it.
    """

    context: int
    keep_alive: str


def fill_body(
    generation: Generation,
    prompt: FillInTheMiddle,
    prefix: str,
    profile: Profile,
    backend: str,
    *,
    inserts: bool,
) -> dict[str, Any]:
    """Return a request to fill a hole.

    Ollama's own template is used where the model has one that takes a suffix. It has no
    place for related files: with those, and for models without such a template, the prompt
    is written in the family's tokens.

    Raises:
        Unsupported: when the model fills no holes.
    """
    body = _common(generation, profile)
    format_ = generation.model.fim
    fills = inserts or (format_ is None and generation.model.fills_in_the_middle)
    if format_ is not None:
        body["options"]["stop"] = stops(format_, generation.stop)
    if fills and not (prompt.related and format_ is not None and format_.file_token):
        return body | {"prompt": prefix, "suffix": prompt.suffix.text}
    if format_ is None:
        raise no_fim(backend, generation.model.id)
    return body | {"prompt": render(format_, prompt, prefix), "raw": True}


def chat_body(generation: Generation, prompt: Chat, profile: Profile) -> dict[str, Any]:
    """Return a request for the next turn of a conversation."""
    body = _common(generation, profile)
    names = {call.id: call.name for message in prompt.messages for call in message.tool_calls}
    body["messages"] = [_message(message, names) for message in prompt.messages]
    if generation.schema is not None:
        body["format"] = dict(generation.schema)
    if generation.tools:
        body["tools"] = [function_tool(tool) for tool in generation.tools]
    return body


def finished(line: Mapping[str, Any], calls: Sequence[Mapping[str, Any]], backend: str) -> Finished:
    """Return the end of an answer.

    Args:
        line: the last line.
        calls: the calls that the model made.
        backend: the backend's name, for errors.
    """
    made = tuple(
        ToolCall(
            f"call_{number}",
            text_of(dict_of(call.get("function")).get("name")),
            json.dumps(dict_of(dict_of(call.get("function")).get("arguments"))),
        )
        for number, call in enumerate(calls)
    )
    said = text_of(line.get("done_reason"))
    if said in ("", "load"):
        # Old versions tell no reason; an empty prompt only loads the model.
        said = "stop"
    reason = FinishReason.TOOL_CALLS if made else finish_reason(said, backend)
    usage = Usage(int_of(line.get("prompt_eval_count")), None, int_of(line.get("eval_count")))
    return Finished(reason, usage, made, text_of(line.get("model")) or None)


def _common(generation: Generation, profile: Profile) -> dict[str, Any]:
    options: dict[str, Any] = {
        "num_predict": generation.max_tokens,
        "temperature": generation.temperature,
        "num_ctx": profile.context,
    }
    if generation.seed is not None:
        options["seed"] = generation.seed
    if generation.stop:
        options["stop"] = list(generation.stop)
    return {
        "model": generation.model.id,
        "stream": True,
        "keep_alive": profile.keep_alive,
        # Otherwise the server drops a part of a long prompt, under HTTP 200.
        "truncate": False,
        "shift": False,
        "options": options,
    }


def _message(message: Message, names: Mapping[str, str]) -> dict[str, Any]:
    plain: dict[str, Any] = {"role": message.role.value, "content": message.text}
    if message.tool_calls:
        plain["tool_calls"] = [
            {"function": {"name": call.name, "arguments": arguments_of(call)}}
            for call in message.tool_calls
        ]
    name = names.get(message.tool_call_id or "")
    if name is not None:
        plain["tool_name"] = name
    return plain
