"""Mistral's platform: OpenAI's protocol for chats, an endpoint of its own for holes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ringfence.config.settings import BackendKind

from ._completions import finish_reason, no_fim, usage_of
from ._facts import roles_of
from ._json import dict_of, dicts_of, int_of, list_of, text_of
from ._openai_chat import Dialect, chat
from ._sse import json_events
from .fim_prompt import Reindented, split_indentation, stops
from .openai import OpenAI
from .values import (
    Chat,
    Event,
    FillInTheMiddle,
    Finished,
    Generation,
    Model,
    TextDelta,
    Usage,
)


class Mistral(OpenAI):
    """Mistral's platform. It refuses fields that it does not know, and tells usage unasked."""

    kind: str = BackendKind.MISTRAL

    def _events(self, generation: Generation) -> AsyncGenerator[Event, None]:
        prompt = generation.prompt
        if isinstance(prompt, Chat):
            dialect = Dialect("/chat/completions", seed="random_seed", usage=False, strict=True)
            return chat(self._server, generation, prompt, dialect)
        if not generation.model.fills_in_the_middle:
            raise no_fim(self.name, generation.model.id)
        return self._fill(generation, prompt)

    async def _fill(
        self, generation: Generation, prompt: FillInTheMiddle
    ) -> AsyncGenerator[Event, None]:
        prefix, indentation = split_indentation(prompt.prefix.text)
        body: dict[str, Any] = {
            "model": generation.model.id,
            "prompt": prefix,
            "suffix": prompt.suffix.text,
            "max_tokens": generation.max_tokens,
            "temperature": generation.temperature,
            "stream": True,
        }
        if generation.stop:
            body["stop"] = stops(None, generation.stop)
        if generation.seed is not None:
            body["random_seed"] = generation.seed
        reindented = Reindented(indentation)
        usage, reason, served = Usage(), "", ""
        async with (
            self._server.stream("/fim/completions", body, generation) as answer,
            aclosing(json_events(answer, self.name, generation.model.id)) as events,
        ):
            async for event in events:
                usage = usage_of(event, usage)
                served = text_of(event.get("model")) or served
                for choice in dicts_of(event.get("choices")):
                    text = reindented.feed(_content(dict_of(choice.get("delta")).get("content")))
                    if text:
                        yield TextDelta(text)
                    reason = text_of(choice.get("finish_reason")) or reason
        yield Finished(finish_reason(reason, self.name), usage, served_model=served or None)

    def _model(self, id_: str, entry: Mapping[str, Any]) -> Model:
        capabilities = dict_of(entry.get("capabilities"))
        fills = bool(capabilities.get("completion_fim")) or id_.startswith("codestral")
        tools = bool(capabilities.get("function_calling", True))
        place = self._place(entry)
        return Model(
            id=id_,
            backend=self.name,
            zone=place.zone,
            locality=place.why,
            roles=roles_of(completes=fills, calls_tools=tools),
            context=int_of(entry.get("max_context_length")),
            fills_in_the_middle=fills,
            tools=tools,
            json_schema=True,
        )


def _content(content: object) -> str:
    """Return the text of a piece, which may come in parts."""
    parts = (text_of(dict_of(part).get("text")) for part in list_of(content))
    return text_of(content) or "".join(parts)
