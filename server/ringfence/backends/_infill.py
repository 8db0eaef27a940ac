"""llama-server's own way to fill a hole, for models whose format only the server knows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ._completions import finish_reason, usage_of
from ._http import Server
from ._json import int_of, text_of
from ._sse import json_events
from .fim_prompt import Reindented, split_indentation
from .values import Event, FillInTheMiddle, Finished, Generation, TextDelta, Usage


async def infill(
    server: Server, generation: Generation, prompt: FillInTheMiddle, extra: Mapping[str, Any]
) -> AsyncGenerator[Event, None]:
    """Stream what fills a hole.

    Raises:
        Unsupported: when the model has no tokens for it.
        BackendError: by what else went wrong.
    """
    name = server.name
    prefix, indentation = split_indentation(prompt.prefix.text)
    reindented = Reindented(indentation)
    body: dict[str, Any] = {
        "model": generation.model.id,
        "input_prefix": prefix,
        "input_suffix": prompt.suffix.text,
        "input_extra": [
            {"filename": fragment.source.file or "snippet", "text": fragment.text}
            for fragment in prompt.related
        ],
        "n_predict": generation.max_tokens,
        "temperature": generation.temperature,
        "stop": list(generation.stop),
        "stream": True,
        **extra,
    }
    if generation.seed is not None:
        body["seed"] = generation.seed
    async with (
        server.stream("/infill", body, generation) as answer,
        aclosing(json_events(answer, name, generation.model.id, _is_last)) as events,
    ):
        last: Mapping[str, Any] = {}
        async for event in events:
            last = event
            if text := reindented.feed(text_of(event.get("content"))):
                yield TextDelta(text)
    usage = Usage(
        int_of(last.get("tokens_evaluated")),
        usage_of(last, Usage()).cached_tokens,
        int_of(last.get("tokens_predicted")),
    )
    reason = finish_reason(text_of(last.get("stop_type")), name)
    yield Finished(reason, usage, served_model=text_of(last.get("model")) or None)


def _is_last(event: Mapping[str, Any]) -> bool:
    return event.get("stop") is True
