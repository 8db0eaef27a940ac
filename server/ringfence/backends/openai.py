"""OpenAI and servers that speak its protocol; vLLM, LM Studio and Mistral build on it."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any

import httpx2

from ringfence.config.settings import BackendKind, ModelSettings
from ringfence.privacy import Endpoint, Fragment, Gate, Zone

from ._completions import fill, no_fim
from ._facts import count_of, merge, quantization_in, roles_of
from ._http import Server
from ._json import dict_of, dicts_of, int_of
from ._openai_chat import Dialect, chat
from .errors import InvalidAnswer
from .fim import format_of
from .locality import Place, elsewhere
from .urls import at_openai_base
from .values import Chat, Event, Generation, Model

#: Names of models that do not chat, in the lists of cloud platforms.
_NO_CHAT = re.compile(
    r"embed|whisper|tts|dall-e|moderation|image|audio|realtime|transcribe|sora|babbage|davinci|ocr"
)

#: OpenAI's models that think first; they take neither a temperature nor stop strings.
_REASONING = re.compile(r"^(o\d|gpt-5)")

_OPENAI_HOST = "api.openai.com"


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
        self._server = Server(gate, self._address(endpoint))
        self._said = models

    @property
    def name(self) -> str:
        """The configured name."""
        return self._server.name

    @property
    def zone(self) -> Zone:
        """The declared zone."""
        return self._server.endpoint.zone

    async def probe(self) -> None:
        """Ask for the list of models: cheap, and it needs the key."""
        await self._listed()

    async def models(self) -> tuple[Model, ...]:
        """Return the models that the user named, or all that chat."""
        listed = {str(entry.get("id")): entry for entry in await self._listed()}
        if self._said:
            return tuple(
                merge(self._model(said.id, listed.get(said.id, {})), said) for said in self._said
            )
        return tuple(
            self._model(id_, entry) for id_, entry in listed.items() if not _NO_CHAT.search(id_)
        )

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation."""
        events = self._events(generation)
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

    #: Where the paths of the protocol begin.
    _base = ""

    def _address(self, endpoint: Endpoint) -> Endpoint:
        """Return the endpoint that paths are added to."""
        return at_openai_base(endpoint)

    def _events(self, generation: Generation) -> AsyncGenerator[Event, None]:
        prompt = generation.prompt
        if isinstance(prompt, Chat):
            return chat(self._server, generation, prompt, self._dialect(generation))
        if not self.raw_prompts:
            raise no_fim(self.name, generation.model.id)
        return fill(self._server, generation, prompt, {}, f"{self._base}/completions")

    def _dialect(self, generation: Generation) -> Dialect:
        path = f"{self._base}/chat/completions"
        if httpx2.URL(self._server.endpoint.url).host != _OPENAI_HOST:
            return Dialect(path, strict=True)
        sampling = not _REASONING.search(generation.model.id)
        return Dialect(path, "max_completion_tokens", strict=True, sampling=sampling)

    def _place(self, entry: Mapping[str, Any]) -> Place:
        """Return where a model of this server is computed."""
        del entry
        if self.zone is Zone.CLOUD:
            return elsewhere("as declared")
        return elsewhere("a server of an unknown kind may pass requests on")

    def _model(self, id_: str, entry: Mapping[str, Any]) -> Model:
        place = self._place(entry)
        format_ = format_of(id_) if self.raw_prompts else None
        return Model(
            id=id_,
            backend=self.name,
            zone=place.zone,
            locality=place.why,
            roles=roles_of(completes=format_ is not None, calls_tools=True),
            parameters=count_of(id_),
            quantization=quantization_in(id_),
            context=int_of(entry.get("max_model_len")) or int_of(entry.get("context_length")),
            fim=format_,
            fills_in_the_middle=format_ is not None,
            tools=True,
            json_schema=True,
        )

    async def _listed(self) -> list[Mapping[str, Any]]:
        answer = await self._server.get(f"{self._base}/models", "model list")
        data = dict_of(answer).get("data")
        if not isinstance(data, list):
            raise InvalidAnswer(
                self.name,
                f"What answers as {self.name!r} does not speak OpenAI's protocol; check its "
                "kind and its url.",
            )
        return dicts_of(data)
