"""Ollama, by its own interface: ``/v1`` has neither ``num_ctx`` nor ``keep_alive``.

A name or alias may stand for a model that Ollama asks a remote service for. Whether it
does is asked for each model; what cannot be asked counts as remote.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from ringfence.config.settings import BackendKind, ModelSettings
from ringfence.privacy import Endpoint, Fragment, Gate, Zone

from ._facts import count_of, merge, roles_of
from ._http import Server
from ._json import dict_of, dicts_of, int_of, list_of, text_of
from ._ndjson import json_lines
from ._ollama_body import Profile, chat_body, fill_body, finished
from ._ollama_facts import kv_bytes, parameter_count, trained_context
from .errors import BackendError, InvalidAnswer, OutOfRing
from .fim import format_of
from .fim_prompt import Reindented, split_indentation
from .locality import ollama_place
from .urls import at_root
from .values import Chat, Event, Generation, Model, TextDelta

_log = logging.getLogger(__name__)

#: The context window that is asked for when the user says none and the model is not loaded.
CONTEXT = 8192

#: A model that is loaded with less than this is loaded anew with more.
_LEAST_CONTEXT = 4096

#: Seconds for a model to load; the largest come from slow disks.
_LOAD_SECONDS = 600.0

#: Questions about models that are under way at once.
_QUESTIONS = 4


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
        self._server = Server(gate, at_root(endpoint))
        self._said = {_full_name(said.id): said for said in models}
        self._keep_alive = f"{int(keep_alive)}s"
        self._inserting: set[str] = set()
        self._windows: dict[str, int] = {}
        self._missing: set[str] = set()

    @property
    def name(self) -> str:
        """The configured name."""
        return self._server.name

    @property
    def zone(self) -> Zone:
        """The declared zone."""
        return self._server.endpoint.zone

    async def probe(self) -> None:
        """Ask for the version; Ollama has no ``/health``."""
        answer = await self._server.get("/api/version", "health probe")
        if not text_of(dict_of(answer).get("version")):
            raise self._stranger()

    async def models(self) -> tuple[Model, ...]:
        """Return the models that are installed, each asked where it is computed."""
        tags = {text_of(tag.get("name")): tag for tag in await self._list("/api/tags")}
        running = {text_of(entry.get("name")): entry for entry in await self._list("/api/ps")}
        self._tell_missing(set(tags))
        wanted = [name for name in tags if not self._said or _full_name(name) in self._said]
        limit = asyncio.Semaphore(_QUESTIONS)

        async def ask(name: str) -> Model | None:
            async with limit:
                return await self._model(name, tags[name], running.get(name))

        tasks = [asyncio.ensure_future(ask(name)) for name in wanted]
        try:
            found = await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
        return tuple(model for model in found if model is not None)

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation."""
        prompt, model = generation.prompt, generation.model
        profile = Profile(self._window(model.id), self._keep_alive)
        reindented, calls = Reindented(""), list[Mapping[str, Any]]()
        if isinstance(prompt, Chat):
            path, body = "/api/chat", chat_body(generation, prompt, profile)
        else:
            prefix, indentation = split_indentation(prompt.prefix.text)
            reindented = Reindented(indentation)
            inserts = model.id in self._inserting
            body = fill_body(generation, prompt, prefix, profile, self.name, inserts=inserts)
            path = "/api/generate"
        last: Mapping[str, Any] = {}
        async with (
            self._server.stream(path, body, generation) as answer,
            aclosing(json_lines(answer, self.name, model.id)) as lines,
        ):
            async for line in lines:
                self._check_place(line, model)
                message = dict_of(line.get("message"))
                text = reindented.feed(
                    text_of(line.get("response")) or text_of(message.get("content"))
                )
                calls += dicts_of(message.get("tool_calls"))
                if text:
                    yield TextDelta(text)
                last = line
        yield finished(last, calls, self.name)

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        """Return None: Ollama has no way to count."""
        del model, text
        return None

    async def warm(self, model: Model) -> None:
        """Load the model: a generation with an empty prompt does that and nothing else."""
        body = {
            "model": model.id,
            "keep_alive": self._keep_alive,
            "options": {"num_ctx": self._window(model.id)},
            "stream": False,
        }
        await self._server.post("/api/generate", body, "loading a model", model.id, _LOAD_SECONDS)

    async def aclose(self) -> None:
        """Release connections."""
        await self._server.aclose()

    async def _model(
        self, id_: str, entry: Mapping[str, Any], running: Mapping[str, Any] | None
    ) -> Model | None:
        """Return a model with its facts; None for one that does not generate."""
        try:
            shown = dict_of(await self._server.post("/api/show", {"model": id_}, "model list", id_))
        except BackendError:
            shown = {}
        capabilities = set(map(str, list_of(shown.get("capabilities"))))
        if capabilities and "completion" not in capabilities:
            return None
        details = dict_of(shown.get("details")) or dict_of(entry.get("details"))
        family = text_of(details.get("family")) or None
        inserts = "insert" in capabilities
        (self._inserting.add if inserts else self._inserting.discard)(id_)
        format_ = format_of(id_)
        tools = "tools" in capabilities
        sources = (entry, shown, running or {})
        place = ollama_place(
            self._server.endpoint,
            id_,
            described=bool(shown),
            remote=any(facts.get("remote_host") or facts.get("remote_model") for facts in sources),
        )
        fills = format_ is not None or inserts
        model = Model(
            id=id_,
            backend=self.name,
            zone=place.zone,
            locality=place.why,
            roles=roles_of(completes=fills, calls_tools=tools),
            family=family,
            parameters=parameter_count(shown) or count_of(text_of(details.get("parameter_size"))),
            quantization=text_of(details.get("quantization_level")) or None,
            context=self._settle_window(id_, trained_context(shown), running),
            fim=format_,
            fills_in_the_middle=fills,
            tools=tools,
            json_schema=True,
            weights_bytes=int_of(entry.get("size")),
            kv_bytes_per_token=kv_bytes(shown),
            loaded=running is not None,
        )
        return merge(model, self._said.get(_full_name(id_)))

    def _settle_window(
        self, id_: str, trained: int | None, running: Mapping[str, Any] | None
    ) -> int:
        """Return the context window to ask for, the same from now on.

        Another window than before makes Ollama load the model anew. One that is loaded
        already, for another program, is used as it is.
        """
        if id_ not in self._windows:
            said = self._said.get(_full_name(id_))
            loaded = int_of((running or {}).get("context_length")) or 0
            wanted = (said.context if said is not None else None) or (
                loaded if loaded >= _LEAST_CONTEXT else CONTEXT
            )
            self._windows[id_] = min(wanted, trained or wanted)
        return self._windows[id_]

    def _window(self, id_: str) -> int:
        return self._windows.get(id_) or self._settle_window(id_, None, None)

    def _check_place(self, line: Mapping[str, Any], model: Model) -> None:
        """Stop when an answer turns out to come from farther than the model was said to be.

        Raises:
            OutOfRing: when it does.
        """
        if model.zone < Zone.CLOUD and (line.get("remote_host") or line.get("remote_model")):
            raise OutOfRing(
                self.name,
                f"{self.name!r} passed the request for {model.id!r} on to a remote service, "
                "which it had not said before; it is not asked again.",
            )

    def _tell_missing(self, installed: set[str]) -> None:
        """Say once which of the user's models the server does not have."""
        names = {_full_name(name) for name in installed}
        for full, said in self._said.items():
            if full not in names and full not in self._missing:
                self._missing.add(full)
                _log.warning(
                    "%r does not have the model %r; run: ollama pull %s",
                    self.name,
                    said.id,
                    said.id,
                )
        self._missing -= names

    async def _list(self, path: str) -> list[Mapping[str, Any]]:
        models = dict_of(await self._server.get(path, "model list")).get("models")
        if not isinstance(models, list):
            raise self._stranger()
        return dicts_of(models)

    def _stranger(self) -> InvalidAnswer:
        return InvalidAnswer(
            self.name, f"What answers as {self.name!r} is no Ollama server; check its kind."
        )


def _full_name(name: str) -> str:
    """Return a model's name with its tag, which is ``latest`` when there is none."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"
