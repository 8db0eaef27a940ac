"""The Hugging Face hub and the Ollama library."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.engine.errors import SourceFailed
from ringfence.engine.sources.huggingface import HuggingFaceSource
from ringfence.engine.sources.protocol import Fetched
from ringfence.engine.sources.web import Web
from ringfence.privacy import Gate, Zone
from tests.engine.fake_web import FakeWeb, sha256
from tests.engine.hubs import (
    BLOB_PATH,
    HUB_PATH,
    MANIFEST_PATH,
    hub,
    ignore,
    lay_out_ollama,
    library,
    names,
    serving,
)
from tests.engine.model_cards import MODEL, card


@pytest.fixture
def web() -> Iterator[FakeWeb]:
    with serving() as web:
        yield web


async def test_the_hub_delivers_a_file_and_vouches_for_it(web: FakeWeb, tmp_path: Path) -> None:
    fetched = await hub(web).fetch(card(sha256=None), tmp_path / "toy.gguf", ignore)

    assert fetched == Fetched(tmp_path / "toy.gguf", sha256(MODEL), "huggingface")
    assert fetched.path.read_bytes() == MODEL


async def test_a_hub_download_resumes(web: FakeWeb, tmp_path: Path) -> None:
    storage = web.redirects[HUB_PATH]
    web.breaks[storage] = [100_000, 0, 0, 0]
    with pytest.raises(SourceFailed, match="what was fetched is kept"):
        await hub(web).fetch(card(), tmp_path / "toy.gguf", ignore)
    assert not (tmp_path / "toy.gguf").exists()

    await hub(web).fetch(card(), tmp_path / "toy.gguf", ignore)

    assert web.asked(storage)[-1]["range"] == "bytes=100000-"
    assert names(tmp_path) == ["toy.gguf"]


async def test_the_token_is_not_handed_to_the_storage(web: FakeWeb, tmp_path: Path) -> None:
    with FakeWeb() as storage:
        storage.files["/blob"] = MODEL
        web.redirects[HUB_PATH] = f"{storage.url}/blob"

        await hub(web, HF_TOKEN="secret").fetch(card(), tmp_path / "toy.gguf", ignore)

        assert web.asked(HUB_PATH)[0]["authorization"] == "Bearer secret"
        assert "authorization" not in storage.asked("/blob")[0]


async def test_a_hub_file_that_is_not_the_catalogues_is_refused(
    web: FakeWeb, tmp_path: Path
) -> None:
    with pytest.raises(SourceFailed, match="not the file of the catalogue"):
        await hub(web).fetch(card(sha256="f" * 64), tmp_path / "toy.gguf", ignore)


async def test_a_hub_file_that_nobody_vouches_for_is_refused(web: FakeWeb, tmp_path: Path) -> None:
    web.headers[HUB_PATH] = {}

    with pytest.raises(SourceFailed, match="tells no SHA-256"):
        await hub(web).fetch(card(sha256=None), tmp_path / "toy.gguf", ignore)


async def test_wrong_content_is_deleted(web: FakeWeb, tmp_path: Path) -> None:
    web.files[web.redirects[HUB_PATH]] = bytes(len(MODEL))

    with pytest.raises(SourceFailed, match="published SHA-256"):
        await hub(web).fetch(card(), tmp_path / "toy.gguf", ignore)

    assert names(tmp_path) == []


async def test_a_spoilt_partial_file_is_fetched_anew(web: FakeWeb, tmp_path: Path) -> None:
    storage = web.redirects[HUB_PATH]
    web.breaks[storage] = [50_000, 0, 0, 0]
    with pytest.raises(SourceFailed):
        await hub(web).fetch(card(), tmp_path / "toy.gguf", ignore)
    [partial] = names(tmp_path)
    (tmp_path / partial).write_bytes(bytes(50_000))

    await hub(web).fetch(card(), tmp_path / "toy.gguf", ignore)

    assert (tmp_path / "toy.gguf").read_bytes() == MODEL


async def test_a_missing_file_is_said_to_be_missing(web: FakeWeb, tmp_path: Path) -> None:
    web.statuses[HUB_PATH] = [404]

    with pytest.raises(SourceFailed, match="does not have it"):
        await hub(web).fetch(card(), tmp_path / "toy.gguf", ignore)


@pytest.mark.parametrize("address", ["ftp://example.org", "no address", "http://"])
async def test_a_mirror_that_is_no_web_address_is_said_so(tmp_path: Path, address: str) -> None:
    source = HuggingFaceSource(Web(Gate()), {"HF_ENDPOINT": address})

    with pytest.raises(SourceFailed, match="no web address"):
        await source.fetch(card(), tmp_path / "toy.gguf", ignore)


async def test_a_server_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    source = HuggingFaceSource(Web(Gate(), 0.01), {"HF_ENDPOINT": "http://127.0.0.1:1"})

    with pytest.raises(SourceFailed, match=r"127\.0\.0\.1 cannot be reached"):
        await source.fetch(card(), tmp_path / "toy.gguf", ignore)


async def test_redirects_without_end_are_given_up(web: FakeWeb, tmp_path: Path) -> None:
    web.redirects[BLOB_PATH] = BLOB_PATH

    with pytest.raises(SourceFailed, match="without end"):
        await library(web, tmp_path / "own").fetch(card(), tmp_path / "toy.gguf", ignore)


async def test_a_gate_that_is_closed_to_the_cloud_lets_no_download_through(
    web: FakeWeb, tmp_path: Path
) -> None:
    source = HuggingFaceSource(Web(Gate(Zone.DEVICE)), {"HF_ENDPOINT": web.url})

    with pytest.raises(SourceFailed, match="the gate refused"):
        await source.fetch(card(), tmp_path / "toy.gguf", ignore)

    assert not web.requests


async def test_the_library_delivers_by_its_manifest(web: FakeWeb, tmp_path: Path) -> None:
    fetched = await library(web, tmp_path / "own").fetch(card(), tmp_path / "toy.gguf", ignore)

    assert fetched.sha256 == sha256(MODEL)
    assert fetched.path.read_bytes() == MODEL


async def test_a_blob_of_the_users_own_ollama_is_used_again(web: FakeWeb, tmp_path: Path) -> None:
    own = tmp_path / "own"
    lay_out_ollama(own, MODEL)
    models = tmp_path / "models"
    models.mkdir()

    fetched = await library(web, own).fetch(card(), models / "toy.gguf", ignore)

    assert fetched.path.read_bytes() == MODEL
    assert names(models) == ["toy.gguf"]
    assert not web.requests


async def test_a_damaged_blob_is_not_used(web: FakeWeb, tmp_path: Path) -> None:
    own = tmp_path / "own"
    lay_out_ollama(own, MODEL, stored=bytes(len(MODEL)))

    fetched = await library(web, own).fetch(card(), tmp_path / "toy.gguf", ignore)

    assert fetched.path.read_bytes() == MODEL
    assert web.asked(BLOB_PATH)


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b'{"layers": [{}]}'])
async def test_a_manifest_that_makes_no_sense_is_said_so(
    web: FakeWeb, tmp_path: Path, manifest: bytes
) -> None:
    web.files[MANIFEST_PATH] = manifest

    with pytest.raises(SourceFailed, match="Ollama library"):
        await library(web, tmp_path / "own").fetch(card(), tmp_path / "toy.gguf", ignore)
