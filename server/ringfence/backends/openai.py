"""OpenAI and servers that speak its protocol; vLLM and LM Studio build on it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from ringfence.config.settings import BackendKind, ModelSettings
from ringfence.privacy import Endpoint, Fragment, Gate, Zone

from ._completions import fill
from ._facts import count_of, merge, quantization_in
from ._http import Server
from ._openai_chat import chat
from .errors import InvalidAnswer
from .fim import format_of
from .urls import normalized
from .values import Chat, Event, Generation, Model, Role

#: Why a server of no kind that we know is not believed to compute where it runs.
UNKNOWN = "a server of an unknown kind may pass requests on, so it counts as the cloud"


class OpenAI:
    """A server that speaks OpenAI's protocol.

    Its chats are used, and holes only where a model's family is known and the server takes
    raw prompts (``raw_prompts``), which OpenAI itself does not.

    Args:
        gate: opens the connections.
        endpoint: where the server is.
        models: the user's words on its models.
    """

    kind: str = BackendKind.OPENAI
    raw_prompts = False

    def __init__(
        self, gate: Gate, endpoint: Endpoint, models: tuple[ModelSettings, ...] = ()
    ) -> None:
        endpoint = normalized(endpoint)
        key = endpoint.api_key
        self._server = Server(gate, endpoint, {"Authorization": f"Bearer {key}"} if key else {})
        self._said = models

    @property
    def name(self) -> str:
        """The configured name."""
        return self._server.endpoint.name

    @property
    def zone(self) -> Zone:
        """The declared zone."""
        return self._server.endpoint.zone

    async def probe(self) -> None:
        """Ask for the list of models: cheap, and it needs the key."""
        await self._listed()

    async def models(self) -> tuple[Model, ...]:
        """Return the models that the user named, or all that the server lists."""
        listed = {str(entry.get("id")): entry for entry in await self._listed()}
        if self._said:
            return tuple(
                merge(self._model(said.id, listed.get(said.id, {})), said) for said in self._said
            )
        return tuple(self._model(id_, entry) for id_, entry in listed.items())

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation."""
        prompt = generation.prompt
        if isinstance(prompt, Chat):
            events = chat(self._server, generation, prompt, {})
        else:
            events = fill(self._server, generation, prompt, {})
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        """Return None: the protocol has no way to count."""
        del model, text
        return None

    async def warm(self, model: Model) -> None:
        """Do nothing: the protocol has no way to load a model."""
        del model

    async def aclose(self) -> None:
        """Release connections."""
        await self._server.aclose()

    def _place(self) -> tuple[Zone, str]:
        """Return where models of this server are computed, and why it is believed."""
        return (Zone.CLOUD, UNKNOWN) if self.zone < Zone.CLOUD else (Zone.CLOUD, "as declared")

    def _model(self, id_: str, entry: Mapping[str, Any]) -> Model:
        zone, locality = self._place()
        format_ = format_of(id_) if self.raw_prompts else None
        context = entry.get("max_model_len") or entry.get("context_length")
        return Model(
            id=id_,
            backend=self.name,
            zone=zone,
            locality=locality,
            roles=frozenset({Role.EDIT, Role.AGENT} | ({Role.COMPLETION} if format_ else set())),
            parameters=count_of(id_),
            quantization=quantization_in(id_),
            context=context if isinstance(context, int) else None,
            fim=format_,
            fills_in_the_middle=format_ is not None,
            tools=True,
            json_schema=True,
        )

    async def _listed(self) -> list[Mapping[str, Any]]:
        answer = await self._server.get("/v1/models", "model list")
        data = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(data, list):
            raise InvalidAnswer(
                self.name, f"What answers as {self.name!r} does not speak OpenAI's protocol."
            )
        return [entry for entry in data if isinstance(entry, dict)]
