"""llama.cpp's own server, ``llama-server``.

Holes are written in the family's tokens and sent to ``/v1/completions``: ``/infill`` cuts
the text by the batch size under HTTP 200, and adds a made-up file header.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any

from ringfence.config.settings import BackendKind, ModelSettings
from ringfence.privacy import Clearance, Endpoint, Fragment, Gate, Zone

from ._completions import fill
from ._facts import LOOPBACK, merge, verified_zone
from ._http import Server
from ._openai_chat import chat
from .errors import InvalidAnswer
from .fim import FORMATS, format_of
from .values import Chat, Event, FimFormat, Generation, Model, Role


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
        """Ask ``/health``; the body is looked at, since other servers answer 200 to anything."""
        health = await self._server.get("/health", "health probe")
        if not isinstance(health, dict) or health.get("status") != "ok":
            raise InvalidAnswer(self.name, f"What answers as {self.name!r} is no llama-server.")

    async def models(self) -> tuple[Model, ...]:
        """Return the one model that is loaded, with what ``/props`` says of it."""
        props = await self._server.get("/props", "model list")
        if not isinstance(props, dict) or "default_generation_settings" not in props:
            raise InvalidAnswer(self.name, f"What answers as {self.name!r} is no llama-server.")
        listed = await self._server.get("/v1/models", "model list")
        meta = _meta(listed)
        path = str(props.get("model_path") or "")
        file = path.replace("\\", "/").rpartition("/")[2]
        said = self._said[0] if self._said else None
        names = (said.fim, said.id) if said else ()
        format_ = format_of(*names, file, _id(listed)) or await self._format_in_vocabulary()
        zone, locality = verified_zone(self._server.endpoint, LOOPBACK)
        model = Model(
            id=_id(listed) or file,
            backend=self.name,
            zone=zone,
            locality=locality,
            roles=frozenset({Role.EDIT} | ({Role.COMPLETION} if format_ else set())),
            parameters=meta.get("n_params"),
            context=_context(props),
            fim=format_,
            fills_in_the_middle=format_ is not None,
            json_schema=True,
            weights_bytes=meta.get("size"),
            loaded=True,
        )
        return (merge(model, said),)

    async def _format_in_vocabulary(self) -> FimFormat | None:
        """Return the format whose tokens the model has, for files whose name tells nothing."""
        for format_ in FORMATS.values():
            answer = await self._server.post(
                "/tokenize",
                {"content": format_.prefix_token, "add_special": False, "parse_special": True},
                "model list",
            )
            tokens = answer.get("tokens") if isinstance(answer, dict) else None
            if isinstance(tokens, list) and len(tokens) == 1:
                return format_
        return None

    async def generate(self, generation: Generation) -> AsyncGenerator[Event, None]:
        """Stream a generation."""
        prompt = generation.prompt
        # The server notices a closed connection late in some builds: the time it may
        # spend is said to it as well.
        extra = {"cache_prompt": True, "t_max_predict_ms": int(generation.deadline * 1000)}
        if isinstance(prompt, Chat):
            events = chat(self._server, generation, prompt, extra)
        else:
            events = fill(self._server, generation, prompt, extra)
        try:
            async for event in events:
                yield event
        finally:
            await events.aclose()

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        """Count with the server's tokenizer."""
        answer = await self._server.post_text(
            "/tokenize", {"content": text.text}, "token count", Clearance.of([text]), model.id
        )
        tokens = answer.get("tokens") if isinstance(answer, dict) else None
        return len(tokens) if isinstance(tokens, list) else None

    async def warm(self, model: Model) -> None:
        """Do nothing: a llama-server has its model loaded."""
        del model

    async def aclose(self) -> None:
        """Release connections."""
        await self._server.aclose()


def _id(listed: Any) -> str:
    data = listed.get("data") if isinstance(listed, dict) else None
    first = data[0] if isinstance(data, list) and data else {}
    return str(first.get("id") or "") if isinstance(first, dict) else ""


def _meta(listed: Any) -> Mapping[str, Any]:
    data = listed.get("data") if isinstance(listed, dict) else None
    first = data[0] if isinstance(data, list) and data else {}
    meta = first.get("meta") if isinstance(first, dict) else None
    return meta if isinstance(meta, dict) else {}


def _context(props: Mapping[str, Any]) -> int | None:
    """Return the context window of one slot."""
    context = props["default_generation_settings"].get("n_ctx")
    return context if isinstance(context, int) else None
