"""Holes filled through ``/v1/completions`` with a family's own tokens: the portable way.

Every server of this kind takes them: llama-server, vLLM, LM Studio and the embedded
engine. None of them applies a template there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ._http import Server, overflow
from ._sse import json_events
from .errors import InvalidAnswer, Unsupported
from .fim import Reindented, render, split_indentation
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
    name = server.endpoint.name
    format_ = generation.model.fim
    if format_ is None:
        raise Unsupported(
            name,
            f"{generation.model.id!r} cannot fill in the middle; use a coder model such as "
            "qwen2.5-coder for completions.",
        )
    prefix, indentation = split_indentation(prompt.prefix.text)
    body = _body(generation, format_, render(format_, prompt, prefix)) | dict(extra)
    reindented = Reindented(indentation)
    usage, reason, served = Usage(), None, None
    async with (
        server.stream(path, body, generation) as response,
        aclosing(json_events(response, name)) as events,
    ):
        async for event in events:
            refuse_error(event, name)
            usage = usage_of(event, usage)
            served = event.get("model", served)
            for choice in event.get("choices") or ():
                text = reindented.feed(choice.get("text") or "")
                if text:
                    yield TextDelta(text)
                reason = choice.get("finish_reason") or reason
    yield Finished(finish_reason(reason, name), usage, served_model=served)


def _body(generation: Generation, format_: FimFormat, prompt: str) -> dict[str, Any]:
    body: dict[str, Any] = {
        "model": generation.model.id,
        "prompt": prompt,
        # vLLM generates 16 tokens when this is left out.
        "max_tokens": generation.max_tokens,
        "temperature": generation.temperature,
        "stop": [*generation.stop, *format_.stop][:4],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if generation.seed is not None:
        body["seed"] = generation.seed
    return body


def finish_reason(reason: str | None, name: str) -> FinishReason:
    """Return why a generation ended, in our words.

    Raises:
        InvalidAnswer: when the server did not say: the answer was cut short.
    """
    match reason:
        case "stop" | "eos" | "end_turn" | "stop_sequence":
            return FinishReason.STOP
        case "length" | "max_tokens":
            return FinishReason.LENGTH
        case "tool_calls" | "tool_use" | "function_call":
            return FinishReason.TOOL_CALLS
        case "content_filter" | "refusal":
            return FinishReason.REFUSAL
        case _:
            raise InvalidAnswer(name, f"{name!r} did not say why its answer ended.")


def refuse_error(event: Mapping[str, Any], name: str) -> None:
    """Raise what a server reports in mid-stream, under HTTP 200."""
    error = event.get("error")
    if not error:
        return
    if isinstance(error, dict) and error.get("type") == "exceed_context_size_error":
        raise overflow(name, error)
    raise InvalidAnswer(name, f"{name!r} failed while it was generating.")


def usage_of(event: Mapping[str, Any], before: Usage) -> Usage:
    """Return the token counts, llama-server's own ``timings`` where there are some."""
    usage, timings = event.get("usage") or {}, event.get("timings") or {}
    details = usage.get("prompt_tokens_details") or {}
    return Usage(
        prompt_tokens=usage.get("prompt_tokens", before.prompt_tokens),
        cached_tokens=timings.get("cache_n", details.get("cached_tokens", before.cached_tokens)),
        output_tokens=usage.get("completion_tokens", before.output_tokens),
    )
