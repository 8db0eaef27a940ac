"""vLLM: OpenAI's protocol, raw prompts, and a tokenizer to ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.config.settings import BackendKind
from ringfence.privacy import Clearance, Endpoint, Fragment

from ._json import dict_of, int_of, text_of
from ._openai_chat import Dialect
from .errors import BackendError
from .locality import Place, vllm_place
from .openai import OpenAI
from .urls import at_root
from .values import Generation, Model


class Vllm(OpenAI):
    """A vLLM server, or a gateway to several of one model.

    It refuses ``suffix``, so holes are sent in the family's tokens. Its ``/health`` answers
    with nothing, as many a server does, so the list of models is asked instead.
    """

    kind: str = BackendKind.VLLM
    raw_prompts = True
    _base = "/v1"

    async def count_tokens(self, model: Model, text: Fragment) -> int | None:
        """Count with the server's tokenizer; None behind a gateway that does not have it."""
        body = {"model": model.id, "prompt": text.text, "add_special_tokens": False}
        try:
            answer = await self._server.post_text(
                "/tokenize", body, "token count", Clearance.of([text]), model
            )
        except BackendError as error:
            if error.code in ("invalid-answer", "model-missing", "unsupported"):
                return None
            raise
        return int_of(dict_of(answer).get("count"))

    def _address(self, endpoint: Endpoint) -> Endpoint:
        return at_root(endpoint)

    def _dialect(self, generation: Generation) -> Dialect:
        del generation
        return Dialect()

    def _place(self, entry: Mapping[str, Any]) -> Place:
        return vllm_place(self._server.endpoint, text_of(entry.get("owned_by")))
