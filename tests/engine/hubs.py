"""A hub and a library in one fake server."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from ringfence.engine.sources.huggingface import HuggingFaceSource
from ringfence.engine.sources.ollama import OllamaSource
from ringfence.engine.sources.protocol import Progress
from ringfence.engine.sources.web import Web
from ringfence.privacy import Gate
from tests.engine.fake_web import FakeWeb, sha256
from tests.engine.model_cards import MODEL

HUB_PATH = "/owner/toy/resolve/main/toy.gguf"
MANIFEST_PATH = "/v2/library/toy/manifests/1b"
BLOB_PATH = f"/v2/library/toy/blobs/sha256:{sha256(MODEL)}"


def ignore(progress: Progress) -> None:
    """Report to nobody."""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def ollama_manifest(content: bytes = MODEL) -> bytes:
    layer = {
        "mediaType": "application/vnd.ollama.image.model",
        "digest": f"sha256:{sha256(content)}",
        "size": len(content),
    }
    other = {"mediaType": "application/vnd.ollama.image.license", "digest": "x", "size": 1}
    return json.dumps({"layers": [other, layer]}).encode()


@contextlib.contextmanager
def serving() -> Iterator[FakeWeb]:
    """Serve the model as a hub and as a library."""
    with FakeWeb() as web:
        storage = "/storage/blob?signature=abc"
        web.files[storage] = MODEL
        web.redirects[HUB_PATH] = storage
        web.headers[HUB_PATH] = {
            "X-Linked-ETag": f'"{sha256(MODEL)}"',
            "X-Linked-Size": str(len(MODEL)),
        }
        web.files[MANIFEST_PATH] = ollama_manifest()
        web.files[BLOB_PATH] = MODEL
        yield web


def hub(web: FakeWeb, **environment: str) -> HuggingFaceSource:
    return HuggingFaceSource(Web(Gate(), retry_delay=0.01), {"HF_ENDPOINT": web.url, **environment})


def library(web: FakeWeb, folder: Path) -> OllamaSource:
    return OllamaSource(Web(Gate(), retry_delay=0.01), web.url, folder)


def lay_out_ollama(folder: Path, content: bytes, stored: bytes | None = None) -> None:
    """Write what Ollama's folder of models looks like."""
    manifest = folder / "manifests" / "registry.ollama.ai" / "library" / "toy" / "1b"
    manifest.parent.mkdir(parents=True)
    manifest.write_bytes(ollama_manifest(content))
    blob = folder / "blobs" / f"sha256-{sha256(content)}"
    blob.parent.mkdir()
    blob.write_bytes(content if stored is None else stored)
