"""LM Studio: OpenAI's protocol for work, its own interface for facts.

With LM Link, an LM Studio answers on loopback for models of other devices; see
``locality`` for what is believed when.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.config.settings import BackendKind
from ringfence.privacy import Endpoint

from ._facts import count_of, merge, quantization_in, roles_of
from ._json import dict_of, dicts_of, int_of, list_of, text_of
from ._lmstudio_link import Link, ask_link
from ._openai_chat import Dialect
from .errors import InvalidAnswer
from .fim import format_of
from .locality import Place, at_endpoint, elsewhere
from .openai import OpenAI
from .urls import at_root
from .values import Generation, Model

_OFF = "LM Studio says that LM Link is off"
_OWN = "LM Studio says that it has this model itself, and no linked device has it"
_BEFORE_LINK = "this version of LM Studio has no LM Link"
_LINKED = "a device that is linked with LM Studio may compute this model"
_UNKNOWN = "LM Studio does not say whether LM Link computes this model elsewhere"

#: Seconds for a model to load.
_LOAD_SECONDS = 600.0


class LmStudio(OpenAI):
    """An LM Studio server. It applies no template to ``/v1/completions``."""

    kind: str = BackendKind.LMSTUDIO
    raw_prompts = True
    _base = "/v1"

    async def probe(self) -> None:
        """Ask for its own list of models: LM Studio answers 200 to any path."""
        await self._own_list()

    async def models(self) -> tuple[Model, ...]:
        """Return the language models that it offers, with their facts."""
        words = {said.id: said for said in self._said}
        entries, has_link = await self._own_list()
        link = await ask_link(self._server) if has_link else None
        found = []
        for entry in entries:
            id_ = text_of(entry.get("key")) or text_of(entry.get("id"))
            if text_of(entry.get("type")).startswith("embedding") or (words and id_ not in words):
                continue
            place = self._place_of(id_, link, has_link=has_link)
            found.append(merge(self._own_model(id_, entry, place), words.get(id_)))
        return tuple(found)

    async def warm(self, model: Model) -> None:
        """Load the model, unless it is: one that is loaded just in time is put out again."""
        entries, has_load = await self._own_list()
        loaded = any(
            text_of(entry.get("key")) == model.id and list_of(entry.get("loaded_instances"))
            for entry in entries
        )
        if has_load and not loaded:
            body: dict[str, Any] = {"model": model.id}
            if model.context is not None:
                body["context_length"] = model.context
            await self._server.post(
                "/api/v1/models/load", body, "loading a model", model.id, _LOAD_SECONDS
            )

    def _address(self, endpoint: Endpoint) -> Endpoint:
        return at_root(endpoint)

    def _dialect(self, generation: Generation) -> Dialect:
        del generation
        return Dialect()

    def _place_of(self, id_: str, link: Link | None, *, has_link: bool) -> Place:
        if not has_link:
            return at_endpoint(self._server.endpoint, _BEFORE_LINK)
        if link is None:
            return elsewhere(_UNKNOWN)
        if not link.computes(id_):
            return elsewhere(_LINKED)
        return at_endpoint(self._server.endpoint, _OFF if link.off else _OWN)

    async def _own_list(self) -> tuple[list[Mapping[str, Any]], bool]:
        """Return its models, and whether it is a version that can have LM Link.

        ``/api/v1`` came with 0.4, LM Link after it; before that there was ``/api/v0``.
        """
        try:
            answer = dict_of(await self._server.get("/api/v1/models", "model list"))
        except InvalidAnswer:
            answer = {}
        if isinstance(answer.get("models"), list):
            return dicts_of(answer["models"]), True
        old = dict_of(await self._server.get("/api/v0/models", "model list"))
        if not isinstance(old.get("data"), list) or "error" in old:
            raise InvalidAnswer(
                self.name, f"What answers as {self.name!r} is no LM Studio; check its kind."
            )
        return dicts_of(old["data"]), False

    def _own_model(self, id_: str, entry: Mapping[str, Any], place: Place) -> Model:
        instances = dicts_of(entry.get("loaded_instances"))
        quantization = entry.get("quantization")
        named = text_of(dict_of(quantization).get("name")) or text_of(quantization)
        contexts = [dict_of(instance.get("config")).get("context_length") for instance in instances]
        context = (
            next(filter(None, map(int_of, contexts)), None)
            or int_of(entry.get("loaded_context_length"))
            or int_of(entry.get("max_context_length"))
        )
        family = text_of(entry.get("architecture")) or text_of(entry.get("arch")) or None
        format_ = format_of(id_)
        capabilities = entry.get("capabilities")
        tools = "tool_use" in list_of(capabilities) or bool(
            dict_of(capabilities).get("trained_for_tool_use")
        )
        return Model(
            id=id_,
            backend=self.name,
            zone=place.zone,
            locality=place.why,
            roles=roles_of(completes=format_ is not None, calls_tools=tools),
            family=family,
            parameters=count_of(text_of(entry.get("params_string")) or id_),
            quantization=named or quantization_in(id_),
            context=context,
            fim=format_,
            fills_in_the_middle=format_ is not None,
            tools=tools,
            json_schema=True,
            weights_bytes=int_of(entry.get("size_bytes")),
            loaded=bool(instances) or entry.get("state") == "loaded",
        )
