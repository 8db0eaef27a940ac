"""Ollama, by its own interface: ``/v1`` has neither ``num_ctx`` nor ``keep_alive``.

A name or alias may stand for a model that Ollama asks a remote service for. Whether it
does is asked for each model; what cannot be asked counts as remote.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ringfence.config.settings import BackendKind, ModelSettings
from ringfence.privacy import Endpoint, Fragment, Gate, Zone

from ._completions import finish_reason
from ._facts import count_of, merge
from ._http import Server
from ._ndjson import json_lines
from ._ollama_facts import kv_bytes, place, trained_context
from .errors import BackendError, ContextOverflow, InvalidAnswer, Unsupported
from .fim import Reindented, format_of, render, split_indentation
from .urls import normalized
from .values import (
    Chat,
    Event,
    FillInTheMiddle,
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

#: The context window that is asked for when the user says none. A change of it reloads
#: the model, so that one value is used for every request of a model.
CONTEXT = 8192


class Ollama:
    """An Ollama server.

    Args:
        gate: opens the connections.
        endpoint: where the server is.
        models: the user's words on its models.
        keep_alive: seconds for which a model is kept loaded after its last use.
    """

    kind: str = BackendKind.OLLAMA

    def __init__(
        self,
        gate: Gate,
        endpoint: Endpoint,
        models: tuple[ModelSettings, ...] = (),
        keep_alive: float = 1800,
    ) -> None:
        key = endpoint.api_key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._server = Server(gate, normalized(endpoint), headers)
        self._said = {said.id: said for said in models}
        self._keep_alive = f"{int(keep_alive)}s"
        self._inserting: set[str] = set()

    @property
    def name(self) -> str:
        """The configured name."""
        return self._server.endpoint.name

    @property
    def zone(self) -> Zone:
        """The declared zone."""
        return self._server.endpoint.zone

    async def probe(self) -> None:
        """Ask for the version; Ollama has no ``/health``."""
        answer = await self._server.get("/api/version", "health probe")
        if not isinstance(answer, dict) or "version" not in answer:
            raise InvalidAnswer(self.name, f"What answers as {self.name!r} is no Ollama server.")

    async def models(self) -> tuple[Model, ...]:
        """Return the models that are installed, each asked where it is computed."""
        tags = await self._list("/api/tags")
        loaded = {str(entry.get("name")) for entry in await self._list("/api/ps")}
        wanted = [
            entry for entry in tags if not self._said or self._word_for(str(entry.get("name")))
        ]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._model(entry, loaded)) for entry in wanted]
        return tuple(task.result() for task in tasks)

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation."""
        prompt = generation.prompt
        reindented = Reindented("")
        if isinstance(prompt, Chat):
            path, body = "/api/chat", self._chat_body(generation, prompt)
        else:
            prefix, indentation = split_indentation(prompt.prefix.text)
            reindented = Reindented(indentation)
            path, body = "/api/generate", self._fill_body(generation, prompt, prefix)
        async with (
            self._server.stream(path, body, generation) as response,
            aclosing(json_lines(response, self.name)) as lines,
        ):
            async for line in lines:
                if "error" in line:
                    raise self._failed(str(line["error"]))
                message = line.get("message") or {}
                text = reindented.feed(line.get("response") or message.get("content") or "")
                if text:
                    yield TextDelta(text)
                if line.get("done"):
                    yield _finished(line, message, self.name)
                    return
        raise InvalidAnswer(self.name, f"The answer of {self.name!r} was cut short.")

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        """Return None: Ollama has no way to count."""
        del model, text
        return None

    async def warm(self, model: Model) -> None:
        """Load the model: a generation with an empty prompt does that and nothing else."""
        body = {
            "model": model.id,
            "keep_alive": self._keep_alive,
            "options": {"num_ctx": self._context(model.id)},
            "stream": False,
        }
        await self._server.post("/api/generate", body, "loading a model")

    async def aclose(self) -> None:
        """Release connections."""
        await self._server.aclose()

    def _fill_body(
        self, generation: Generation, prompt: FillInTheMiddle, prefix: str
    ) -> dict[str, Any]:
        body = self._common(generation)
        format_ = generation.model.fim
        if format_ is not None:
            body |= {"prompt": render(format_, prompt, prefix), "raw": True}
            body["options"]["stop"] = [*generation.stop, *format_.stop][:4]
        elif generation.model.id in self._inserting:
            body |= {"prompt": prefix, "suffix": prompt.suffix.text}
        else:
            raise Unsupported(
                self.name,
                f"{generation.model.id!r} cannot fill in the middle; use a coder model such as "
                "qwen2.5-coder for completions.",
            )
        return body

    def _chat_body(self, generation: Generation, prompt: Chat) -> dict[str, Any]:
        body = self._common(generation)
        body["messages"] = [_message(message) for message in prompt.messages]
        if generation.schema is not None:
            body["format"] = dict(generation.schema)
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

    def _common(self, generation: Generation) -> dict[str, Any]:
        options: dict[str, Any] = {
            "num_predict": generation.max_tokens,
            "temperature": generation.temperature,
            "num_ctx": self._context(generation.model.id),
        }
        if generation.seed is not None:
            options["seed"] = generation.seed
        if generation.stop:
            options["stop"] = list(generation.stop)
        return {
            "model": generation.model.id,
            "stream": True,
            "keep_alive": self._keep_alive,
            # Otherwise the server drops the start of a long prompt under HTTP 200.
            "truncate": False,
            "shift": False,
            "options": options,
        }

    def _context(self, model: str) -> int:
        said = self._word_for(model)
        return said.context if said is not None and said.context is not None else CONTEXT

    def _word_for(self, name: str) -> ModelSettings | None:
        return self._said.get(name) or self._said.get(name.removesuffix(":latest"))

    async def _model(self, entry: Mapping[str, Any], loaded: set[str]) -> Model:
        id_ = str(entry.get("name"))
        try:
            shown = await self._server.post("/api/show", {"model": id_}, "model list")
        except BackendError:
            shown = None
        facts: Mapping[str, Any] = shown if isinstance(shown, dict) else {}
        details = facts.get("details") or entry.get("details") or {}
        capabilities = set(facts.get("capabilities") or ())
        format_ = format_of(id_, details.get("family"))
        if "insert" in capabilities:
            self._inserting.add(id_)
        fills = format_ is not None or "insert" in capabilities
        zone, locality = place(self._server.endpoint, id_, entry, facts)
        model = Model(
            id=id_,
            backend=self.name,
            zone=zone,
            locality=locality,
            roles=frozenset(
                {Role.EDIT}
                | ({Role.COMPLETION} if fills else set())
                | ({Role.AGENT} if "tools" in capabilities else set())
            ),
            family=details.get("family"),
            parameters=count_of(str(details.get("parameter_size") or "")),
            quantization=details.get("quantization_level"),
            context=min(self._context(id_), trained_context(facts) or CONTEXT),
            fim=format_,
            fills_in_the_middle=fills,
            tools="tools" in capabilities,
            json_schema=True,
            weights_bytes=entry.get("size"),
            kv_bytes_per_token=kv_bytes(facts),
            loaded=id_ in loaded,
        )
        return merge(model, self._word_for(id_))

    async def _list(self, path: str) -> list[Mapping[str, Any]]:
        answer = await self._server.get(path, "model list")
        models = answer.get("models") if isinstance(answer, dict) else None
        if not isinstance(models, list):
            raise InvalidAnswer(self.name, f"What answers as {self.name!r} is no Ollama server.")
        return [entry for entry in models if isinstance(entry, dict)]

    def _failed(self, words: str) -> BackendError:
        lowered = words.lower()
        if "context" in lowered and ("exceed" in lowered or "length" in lowered):
            return ContextOverflow(
                self.name, f"The prompt does not fit the context window of {self.name!r}."
            )
        return InvalidAnswer(self.name, f"{self.name!r} failed while it was generating.")


def _message(message: Message) -> dict[str, Any]:
    plain: dict[str, Any] = {"role": message.role.value, "content": message.text}
    if message.tool_calls:
        plain["tool_calls"] = [
            {"function": {"name": call.name, "arguments": json.loads(call.arguments)}}
            for call in message.tool_calls
        ]
    return plain


def _finished(line: Mapping[str, Any], message: Mapping[str, Any], name: str) -> Finished:
    calls = tuple(
        ToolCall(
            str(number),
            str((call.get("function") or {}).get("name") or ""),
            json.dumps((call.get("function") or {}).get("arguments") or {}),
        )
        for number, call in enumerate(message.get("tool_calls") or ())
    )
    reason = FinishReason.TOOL_CALLS if calls else finish_reason(line.get("done_reason"), name)
    usage = Usage(line.get("prompt_eval_count"), None, line.get("eval_count"))
    return Finished(reason, usage, calls, line.get("model"))
