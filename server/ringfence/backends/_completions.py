"""Holes filled through ``/v1/completions`` with a family's own tokens: the portable way.

Every server of this kind takes them: llama-server, vLLM, LM Studio and the embedded
engine. None of them applies a template there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ._http import Server
from ._json import dict_of, dicts_of, int_of, text_of
from ._sse import json_events
from .errors import InvalidAnswer, Unsupported
from .fim_prompt import Reindented, render, split_indentation, stops
from .values import (
    Event,
    FillInTheMiddle,
    FimFormat,
    Finished,
    FinishReason,
    Generation,
    TextDelta,
    Usage,
)


async def fill(
    server: Server,
    generation: Generation,
    prompt: FillInTheMiddle,
    extra: Mapping[str, Any],
    path: str = "/v1/completions",
) -> AsyncGenerator[Event, None]:
    """Stream what fills a hole.

    Args:
        server: where to ask.
        generation: what to generate.
        prompt: the hole.
        extra: what this kind of server takes besides.
        path: where the server takes raw prompts.

    Raises:
        BackendError: by what went wrong.
    """
    name, model = server.name, generation.model.id
    format_ = generation.model.fim
    if format_ is None:
        raise no_fim(name, model)
    prefix, indentation = split_indentation(prompt.prefix.text)
    body = _body(generation, format_, render(format_, prompt, prefix)) | dict(extra)
    reindented = Reindented(indentation)
    usage, reason, served = Usage(), "", ""
    async with (
        server.stream(path, body, generation) as answer,
        aclosing(json_events(answer, name, model)) as events,
    ):
        async for event in events:
            usage = usage_of(event, usage)
            served = text_of(event.get("model")) or served
            for choice in dicts_of(event.get("choices")):
                text = reindented.feed(text_of(choice.get("text")))
                if text:
                    yield TextDelta(text)
                reason = text_of(choice.get("finish_reason")) or reason
    yield Finished(finish_reason(reason, name), usage, served_model=served or None)


def no_fim(name: str, model: str) -> Unsupported:
    """Return the failure for a model that fills no holes."""
    return Unsupported(
        name,
        f"{model!r} on {name!r} cannot fill in the middle; use a coder model such as "
        "qwen2.5-coder for completions.",
    )


def _body(generation: Generation, format_: FimFormat, prompt: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": generation.model.id,
        "prompt": prompt,
        # vLLM generates 16 tokens when this is left out.
        "max_tokens": generation.max_tokens,
        "temperature": generation.temperature,
        "stop": stops(format_, generation.stop),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if generation.seed is not None:
        body["seed"] = generation.seed
    return body


def finish_reason(reason: str, name: str) -> FinishReason:
    """Return why a generation ended, in our words.

    Raises:
        InvalidAnswer: when the server did not say: the answer was cut short.
    """
    match reason:
        case "stop" | "eos" | "word" | "end_turn" | "stop_sequence":
            return FinishReason.STOP
        case "length" | "limit" | "max_tokens" | "model_length" | "model_context_window_exceeded":
            return FinishReason.LENGTH
        case "tool_calls" | "tool_use" | "function_call":
            return FinishReason.TOOL_CALLS
        case "content_filter" | "refusal":
            return FinishReason.REFUSAL
        case _:
            raise InvalidAnswer(name, f"{name!r} did not say why its answer ended.")


def usage_of(event: Mapping[str, Any], before: Usage) -> Usage:
    """Return the token counts, llama-server's own ``timings`` where there are some."""
    usage, timings = dict_of(event.get("usage")), dict_of(event.get("timings"))
    details = dict_of(usage.get("prompt_tokens_details"))
    cached = int_of(timings.get("cache_n"))
    if cached is None:
        cached = int_of(details.get("cached_tokens"))
    return Usage(
        prompt_tokens=_known(int_of(usage.get("prompt_tokens")), before.prompt_tokens),
        cached_tokens=_known(cached, before.cached_tokens),
        output_tokens=_known(int_of(usage.get("completion_tokens")), before.output_tokens),
    )


def _known(value: int | None, before: int | None) -> int | None:
    return before if value is None else value
