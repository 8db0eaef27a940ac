"""llama.cpp's own server, ``llama-server``, alone or as a router of several models.

Holes are written in the family's tokens and sent to ``/v1/completions``: ``/infill`` cuts
the text by the batch size under HTTP 200, and adds a made-up file header. It is used only
for a model whose format the server knows and we do not.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from ringfence.config.settings import BackendKind, ModelSettings
from ringfence.privacy import Clearance, Endpoint, Fragment, Gate, Zone

from ._completions import fill
from ._facts import merge, quantization_in, roles_of
from ._http import Server
from ._infill import infill
from ._json import dict_of, dicts_of, int_of, list_of, text_of
from ._openai_chat import Dialect, chat
from .errors import InvalidAnswer, ModelMissing
from .fim import format_of, is_general, named_format, telling_tokens, vocabulary_candidates
from .locality import at_endpoint
from .urls import at_root
from .values import Chat, Event, FimFormat, Generation, Model

_COMPUTES_HERE = "llama-server computes where it runs, and its address is verified"

#: Seconds for the router to load a model.
_LOAD_SECONDS = 300.0


class LlamaCpp:
    """A llama-server at an address.

    Args:
        gate: opens the connections.
        endpoint: where the server is.
        models: the user's words on its models.
    """

    kind: str = BackendKind.LLAMACPP

    def __init__(
        self, gate: Gate, endpoint: Endpoint, models: tuple[ModelSettings, ...] = ()
    ) -> None:
        self._server = Server(gate, at_root(endpoint))
        self._said = models
        self._formats: dict[str, FimFormat | None] = {}
        self._routes = False

    @property
    def name(self) -> str:
        """The configured name."""
        return self._server.name

    @property
    def zone(self) -> Zone:
        """The declared zone."""
        return self._server.endpoint.zone

    async def probe(self) -> None:
        """Ask ``/health``; the body is looked at, since other servers answer 200 to anything."""
        health = await self._server.get("/health", "health probe")
        if dict_of(health).get("status") != "ok":
            raise self._stranger()

    async def models(self) -> tuple[Model, ...]:
        """Return the one model that is loaded, or all that a router has."""
        props = dict_of(await self._server.get("/props", "model list"))
        entries = dicts_of(dict_of(await self._server.get("/v1/models", "model list")).get("data"))
        self._routes = props.get("role") == "router"
        if self._routes:
            words = {said.id: said for said in self._said}
            wanted = [entry for entry in entries if not words or entry.get("id") in words]
            return tuple(
                [
                    await self._model(
                        text_of(entry.get("id")), entry, words.get(text_of(entry.get("id")))
                    )
                    for entry in wanted
                ]
            )
        if "default_generation_settings" not in props or not entries:
            raise self._stranger()
        # A server of one model serves it under any name: the user's words are on that one.
        said = self._said[0] if self._said else None
        return (await self._one_model(props, entries[0], said),)

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation."""
        prompt = generation.prompt
        # The server notices a closed connection late in some builds: the time it may
        # spend is said to it as well.
        extra = {"cache_prompt": True, "t_max_predict_ms": int(generation.deadline * 1000)}
        if isinstance(prompt, Chat):
            events = chat(self._server, generation, prompt, Dialect(extra=extra))
        elif generation.model.fim is None and generation.model.fills_in_the_middle:
            events = infill(self._server, generation, prompt, extra)
        else:
            extra["n_predict"] = generation.max_tokens
            events = fill(self._server, generation, prompt, extra)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        """Count with the server's tokenizer."""
        body = {"model": model.id, "content": text.text}
        answer = await self._server.post_text(
            "/tokenize", body, "token count", Clearance.of([text]), model
        )
        tokens = dict_of(answer).get("tokens")
        return len(tokens) if isinstance(tokens, list) else None

    async def warm(self, model: Model) -> None:
        """Load the model, at a router; alone, a llama-server has its model loaded."""
        if self._routes:
            body = {"model": model.id}
            await self._server.post(
                "/models/load", body, "loading a model", model.id, _LOAD_SECONDS
            )

    async def aclose(self) -> None:
        """Release connections."""
        await self._server.aclose()

    def _stranger(self) -> InvalidAnswer:
        return InvalidAnswer(
            self.name, f"What answers as {self.name!r} is no llama-server; check its kind."
        )

    async def _one_model(
        self, props: Mapping[str, Any], entry: Mapping[str, Any], said: ModelSettings | None
    ) -> Model:
        file = _base_name(text_of(props.get("model_path")))
        id_ = _base_name(text_of(entry.get("id"))) or file
        if not id_:
            raise ModelMissing(self.name, f"{self.name!r} serves no model.")
        names = (said.id if said else None, file, id_)
        named = named_format(said.fim) if said and said.fim else format_of(*names)
        if named is None and not is_general(*names):
            named = await self._format_in_vocabulary(id_)
        return self._described(said.id if said else id_, props, entry, named, said, loaded=True)

    async def _model(self, id_: str, entry: Mapping[str, Any], said: ModelSettings | None) -> Model:
        """Return a router's model, whose context is known when it is loaded."""
        loaded = dict_of(entry.get("status")).get("value") == "loaded"
        props: Mapping[str, Any] = {}
        if loaded:
            query = urllib.parse.urlencode({"model": id_, "autoload": "false"})
            props = dict_of(await self._server.get(f"/props?{query}", "model list"))
        return self._described(id_, props, entry, format_of(id_), said, loaded=loaded)

    def _described(
        self,
        id_: str,
        props: Mapping[str, Any],
        entry: Mapping[str, Any],
        format_: FimFormat | None,
        said: ModelSettings | None,
        *,
        loaded: bool,
    ) -> Model:
        meta = dict_of(entry.get("meta"))
        place = at_endpoint(self._server.endpoint, _COMPUTES_HERE)
        tools = dict_of(props.get("chat_template_caps")).get("supports_tools")
        # A user who calls it a completion model knows what the server's /infill can do.
        completes = format_ is not None or "completion" in ((said.roles if said else None) or ())
        file = _base_name(text_of(props.get("model_path"))) or _base_name(text_of(entry.get("id")))
        model = Model(
            id=id_,
            backend=self.name,
            zone=place.zone,
            locality=place.why,
            roles=roles_of(completes=completes, calls_tools=tools is True),
            family=format_.family if format_ is not None else None,
            parameters=int_of(meta.get("n_params")),
            quantization=quantization_in(file),
            # The context of one slot, which is what one request may use.
            context=int_of(dict_of(props.get("default_generation_settings")).get("n_ctx")),
            fim=format_,
            fills_in_the_middle=completes,
            tools=tools if isinstance(tools, bool) else None,
            json_schema=True,
            weights_bytes=int_of(meta.get("size")),
            loaded=loaded,
        )
        return merge(model, said)

    async def _format_in_vocabulary(self, id_: str) -> FimFormat | None:
        """Return the format whose tokens the model has, for files whose name tells nothing."""
        if id_ not in self._formats:
            self._formats[id_] = await self._asked_format()
        return self._formats[id_]

    async def _asked_format(self) -> FimFormat | None:
        single: dict[str, bool] = {}
        for format_ in vocabulary_candidates():
            for token in telling_tokens(format_):
                if token not in single:
                    single[token] = await self._is_token(token)
                if not single[token]:
                    break
            else:
                return format_
        return None

    async def _is_token(self, text: str) -> bool:
        body = {"content": text, "add_special": False, "parse_special": True}
        answer = await self._server.post("/tokenize", body, "model list")
        return len(list_of(dict_of(answer).get("tokens"))) == 1


def _base_name(path: str) -> str:
    """Return a file's name without its folders, which are nobody's business."""
    if not path.lower().endswith(".gguf"):
        return path
    return path.replace("\\", "/").rpartition("/")[2]
