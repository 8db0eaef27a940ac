"""The Ollama library, and what the user's own Ollama has fetched from it already."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringfence.engine.catalogue import ModelCard
from ringfence.engine.errors import SourceFailed

from .partial import CHUNK, Partial, partial_path, require_space
from .protocol import Fetched, Progress, Report
from .web import Web, refusal
from .whole_file import fetch_whole

REGISTRY = "https://registry.ollama.ai"

_MODEL_LAYER = "application/vnd.ollama.image.model"
_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


@dataclass(frozen=True, slots=True)
class _Layer:
    sha256: str
    size: int


class OllamaSource:
    """Takes models from the Ollama library; a blob on this disk comes first.

    Args:
        web: downloads.
        registry: base URL of the library.
        folder: where the user's Ollama keeps models; by default as Ollama decides it.
    """

    name = "ollama"

    def __init__(self, web: Web, registry: str = REGISTRY, folder: Path | None = None) -> None:
        self._web = web
        self._registry = registry.rstrip("/")
        self._folder = folder or _ollama_folder(os.environ)

    def offers(self, card: ModelCard) -> bool:
        """Whether the model has a name in the library."""
        return card.ollama is not None

    async def fetch(self, card: ModelCard, into: Path, report: Report) -> Fetched:
        """Deliver the model as the file ``into``; see ``Source.fetch``."""
        if card.ollama is None:
            raise SourceFailed(f"{card.id} is not in the Ollama library")
        repository, tag = _split(card.ollama)
        own = await asyncio.to_thread(self._own_layer, repository, tag)
        if own is not None and await self._take_own(own, into, report):
            return Fetched(into, own.sha256, self.name)
        base = f"{self._registry}/v2/{repository}"
        response, body = await self._web.document(
            f"{base}/manifests/{tag}", {"Accept": _MANIFEST_TYPE}
        )
        if response.status_code != 200:
            raise SourceFailed(refusal(response.url.host, response.status_code))
        layer = _model_layer(body)
        if layer is None:
            raise SourceFailed(f"{card.ollama} has no model file in the Ollama library")
        return await fetch_whole(
            self._web,
            f"{base}/blobs/sha256:{layer.sha256}",
            {},
            into=into,
            sha256=layer.sha256,
            size=layer.size,
            source=self.name,
            report=report,
        )

    def _own_layer(self, repository: str, tag: str) -> _Layer | None:
        """Return the model's layer as the user's own Ollama has it, if its blob is there."""
        manifest = self._folder / "manifests" / "registry.ollama.ai" / repository / tag
        try:
            layer = _model_layer(manifest.read_bytes())
            if layer is not None and self._blob(layer).stat().st_size == layer.size:
                return layer
        except (OSError, SourceFailed):
            pass
        return None

    def _blob(self, layer: _Layer) -> Path:
        return self._folder / "blobs" / f"sha256-{layer.sha256}"

    async def _take_own(self, layer: _Layer, into: Path, report: Report) -> bool:
        """Link or copy the blob; False when it cannot be read or is damaged."""
        report(Progress(self.name, "taking it from the local Ollama", 0, layer.size))
        taken = await asyncio.to_thread(self._link_or_copy, layer, into)
        if taken:
            report(Progress(self.name, "taken from the local Ollama", layer.size, layer.size))
        return taken

    def _link_or_copy(self, layer: _Layer, into: Path) -> bool:
        blob = self._blob(layer)
        path = partial_path(into, layer.sha256)
        try:
            with blob.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != layer.sha256:
                    return False
        except OSError:
            return False
        try:
            # Ollama names blobs by content and never changes one, so a second name for
            # the same bytes is safe and costs no space.
            path.unlink(missing_ok=True)
            path.hardlink_to(blob)
            path.replace(into)
        except OSError:
            require_space(into.parent, layer.size, into.name)
            with blob.open("rb") as file, Partial(path, keep=0) as copy:
                while block := file.read(CHUNK):
                    copy.append(block)
                copy.commit(into)
        return True


def _split(name: str) -> tuple[str, str]:
    model, _, tag = name.partition(":")
    return (model if "/" in model else f"library/{model}"), tag or "latest"


def _model_layer(manifest: bytes) -> _Layer | None:
    try:
        layers: Any = json.loads(manifest)["layers"]
        for layer in layers:
            if layer["mediaType"] == _MODEL_LAYER:
                digest = re.fullmatch(r"sha256:([0-9a-f]{64})", layer["digest"])
                return _Layer(digest[1], int(layer["size"])) if digest else None
    except (ValueError, KeyError, TypeError) as error:
        raise SourceFailed("the Ollama library's manifest cannot be read") from error
    return None


def _ollama_folder(environment: Mapping[str, str]) -> Path:
    chosen = environment.get("OLLAMA_MODELS")
    return Path(chosen) if chosen else Path.home() / ".ollama" / "models"
