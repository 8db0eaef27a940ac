"""LM Studio: OpenAI's protocol for work, its own interface for facts.

With LM Link, an LM Studio answers on loopback from another device. The list of models
names the device of each; a model that is not plainly on this one counts as remote.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.config.settings import BackendKind
from ringfence.privacy import Zone

from ._facts import count_of, merge, quantization_in, verified_zone
from .errors import InvalidAnswer
from .fim import format_of
from .openai import OpenAI
from .values import Model, Role

LOCAL = "LM Studio lists this model without a linked device"
LINKED = "LM Studio asks a linked device for this model"

#: Fields by which an entry tells of another device.
_DEVICE_FIELDS = ("device", "device_id", "device_name", "link", "remote", "host")


class LmStudio(OpenAI):
    """An LM Studio server. It applies no template to ``/v1/completions``."""

    kind: str = BackendKind.LMSTUDIO
    raw_prompts = True

    async def probe(self) -> None:
        """Ask for its own list of models: LM Studio answers 200 to any path."""
        await self._own_list()

    async def models(self) -> tuple[Model, ...]:
        """Return the language models that are on its disk, with their facts."""
        found = []
        words = {said.id: said for said in self._said}
        for entry in await self._own_list():
            id_ = str(entry.get("key") or entry.get("id") or "")
            if entry.get("type") in ("embedding", "embeddings") or (words and id_ not in words):
                continue
            found.append(merge(self._own_model(id_, entry), words.get(id_)))
        return tuple(found)

    async def _own_list(self) -> list[Mapping[str, Any]]:
        """Return ``/api/v1/models``, or ``/api/v0/models`` of older versions."""
        answer = await self._server.get("/api/v1/models", "model list")
        entries = answer.get("models") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            answer = await self._server.get("/api/v0/models", "model list")
            entries = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(entries, list):
            raise InvalidAnswer(self.name, f"What answers as {self.name!r} is no LM Studio.")
        return [entry for entry in entries if isinstance(entry, dict)]

    def _own_model(self, id_: str, entry: Mapping[str, Any]) -> Model:
        loaded = entry.get("loaded_instances") or ()
        quantization = entry.get("quantization")
        if isinstance(quantization, dict):
            quantization = quantization.get("name")
        context = next(
            (instance.get("config", {}).get("context_length") for instance in loaded),
            entry.get("loaded_context_length") or entry.get("max_context_length"),
        )
        linked = any(entry.get(field) for field in _DEVICE_FIELDS)
        zone, locality = (
            (Zone.CLOUD, LINKED) if linked else verified_zone(self._server.endpoint, LOCAL)
        )
        format_ = format_of(id_, entry.get("architecture") or entry.get("arch"))
        capabilities = entry.get("capabilities") or {}
        tools = "tool_use" in capabilities or (
            isinstance(capabilities, dict) and bool(capabilities.get("trained_for_tool_use"))
        )
        return Model(
            id=id_,
            backend=self.name,
            zone=zone,
            locality=locality,
            roles=frozenset(
                {Role.EDIT}
                | ({Role.COMPLETION} if format_ else set())
                | ({Role.AGENT} if tools else set())
            ),
            family=entry.get("architecture") or entry.get("arch"),
            parameters=count_of(str(entry.get("params_string") or id_)),
            quantization=quantization or quantization_in(id_),
            context=context if isinstance(context, int) else None,
            fim=format_,
            fills_in_the_middle=format_ is not None,
            tools=tools,
            json_schema=True,
            weights_bytes=entry.get("size_bytes"),
            loaded=bool(loaded) or entry.get("state") == "loaded",
        )
