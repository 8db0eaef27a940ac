"""The Hugging Face hub, or a mirror that the environment names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import httpx2

from ringfence.engine.catalogue import ModelCard
from ringfence.engine.errors import SourceFailed

from .protocol import Fetched, Report
from .web import ATTEMPTS, Web, refusal
from .whole_file import fetch_whole

HUB = "https://huggingface.co"


class HuggingFaceSource:
    """Takes models from the hub.

    Args:
        web: downloads.
        environment: ``HF_ENDPOINT`` names a mirror, ``HF_TOKEN`` a token; by default
            the variables of the process.
    """

    name = "huggingface"

    def __init__(self, web: Web, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._web = web
        self._hub = (environment.get("HF_ENDPOINT") or HUB).rstrip("/")
        token = environment.get("HF_TOKEN")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def offers(self, card: ModelCard) -> bool:
        """Whether the model has a file on the hub."""
        return card.hub is not None

    async def fetch(self, card: ModelCard, into: Path, report: Report) -> Fetched:
        """Deliver the model as the file ``into``; see ``Source.fetch``."""
        if card.hub is None:
            raise SourceFailed(f"no file on the hub is known for {card.id}")
        url = f"{self._hub}/{card.hub.repository}/resolve/{card.hub.revision}/{card.hub.file}"
        sha256, size = await self._metadata(url)
        if card.sha256 is not None and sha256 not in (None, card.sha256):
            raise SourceFailed(f"the hub's {card.hub.file} is not the file of the catalogue")
        expected = card.sha256 or sha256
        if expected is None:
            raise SourceFailed(f"{self._hub} tells no SHA-256 for {card.hub.file}")
        return await fetch_whole(
            self._web,
            url,
            self._headers,
            into=into,
            sha256=expected,
            size=size or (card.size_bytes if card.sha256 else 0),
            source=self.name,
            report=report,
        )

    async def _metadata(self, url: str) -> tuple[str | None, int]:
        """Return what the hub says of a large file before it redirects to its storage."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._web.open(url, self._headers, follow=False) as response:
                    return _linked(response)
            except httpx2.TransportError as error:
                await self._web.pause(url, error, attempt)
        raise AssertionError("pause raises after the last attempt")


def _linked(response: httpx2.Response) -> tuple[str | None, int]:
    if response.status_code >= 400:
        raise SourceFailed(refusal(response.url.host, response.status_code))
    tag = response.headers.get("X-Linked-ETag", "").removeprefix("W/").strip('"')
    size = response.headers.get("X-Linked-Size", "")
    sha256 = tag if re.fullmatch(r"[0-9a-f]{64}", tag) else None
    return sha256, int(size) if size.isdigit() else 0
