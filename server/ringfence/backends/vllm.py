"""vLLM: OpenAI's protocol, raw prompts, and its own health route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ringfence.config.settings import BackendKind
from ringfence.privacy import Zone

from ._facts import LOOPBACK, verified_zone
from .errors import InvalidAnswer
from .openai import OpenAI


class Vllm(OpenAI):
    """A vLLM server. It refuses ``suffix``, so holes are sent in the family's tokens."""

    kind: str = BackendKind.VLLM
    raw_prompts = True

    async def probe(self) -> None:
        """Ask ``/version``, which only vLLM answers so, then ``/v1/models``."""
        answer = await self._server.get("/version", "health probe")
        if not isinstance(answer, dict) or "version" not in answer:
            raise InvalidAnswer(self.name, f"What answers as {self.name!r} is no vLLM server.")

    async def _listed(self) -> list[Mapping[str, Any]]:
        entries = await super()._listed()
        if any(entry.get("owned_by") not in ("vllm", None) for entry in entries):
            raise InvalidAnswer(self.name, f"What answers as {self.name!r} is no vLLM server.")
        return entries

    def _place(self) -> tuple[Zone, str]:
        return verified_zone(self._server.endpoint, LOOPBACK)
