"""The Hugging Face hub, the Ollama library, local files, and the order of all sources."""

import asyncio
import json
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.engine.catalogue import ModelCard, find
from ringfence.engine.errors import ModelUnavailable, NotEnoughSpace, SourceFailed
from ringfence.engine.pull import pull
from ringfence.engine.sources.huggingface import HuggingFaceSource
from ringfence.engine.sources.local import LocalSource
from ringfence.engine.sources.ollama import OllamaSource
from ringfence.engine.sources.protocol import Fetched, Progress, Report, Source
from ringfence.engine.sources.web import Web
from ringfence.engine.store import ModelStore
from ringfence.privacy import Gate, Zone
from tests.engine.fake_web import FakeWeb, sha256
from tests.engine.model_cards import MODEL, card

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


@pytest.fixture
def web() -> Iterator[FakeWeb]:
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


async def test_sources_are_tried_in_order_until_one_delivers(web: FakeWeb, tmp_path: Path) -> None:
    web.statuses[MANIFEST_PATH] = [404]
    store = ModelStore(tmp_path / "models")

    model = await pull(card(), store, [library(web, tmp_path / "own"), hub(web)], ignore)

    assert (model.source, model.sha256) == ("huggingface", sha256(MODEL))
    assert store.get(card()) == model
    await asyncio.to_thread(store.verify, card())


async def test_when_no_source_delivers_each_is_named_with_its_reason(
    web: FakeWeb, tmp_path: Path
) -> None:
    web.statuses[MANIFEST_PATH] = [404]
    web.statuses[HUB_PATH] = [403]
    sources: list[Source] = [LocalSource(), library(web, tmp_path / "own"), hub(web)]

    with pytest.raises(ModelUnavailable) as failure:
        await pull(card(), ModelStore(tmp_path / "models"), sources, ignore)

    message = str(failure.value)
    assert "local: does not offer it" in message
    assert "ollama: 127.0.0.1 does not have it" in message
    assert "huggingface: 127.0.0.1 refuses access" in message
    assert "engine.sources" in message


async def test_something_that_is_no_gguf_file_is_not_installed(
    web: FakeWeb, tmp_path: Path
) -> None:
    page = b"<html>please log in</html>" * 100
    web.files[web.redirects[HUB_PATH]] = page
    web.headers[HUB_PATH] = {"X-Linked-ETag": sha256(page), "X-Linked-Size": str(len(page))}
    store = ModelStore(tmp_path / "models")

    with pytest.raises(ModelUnavailable, match="not a GGUF model file"):
        await pull(card(sha256=None), store, [hub(web)], ignore)

    assert store.installed() == ()


async def test_a_full_disk_ends_the_search_at_once(web: FakeWeb, tmp_path: Path) -> None:
    class Full:
        name = "ollama"

        def offers(self, card: ModelCard) -> bool:
            return True

        async def fetch(self, card: ModelCard, into: Path, report: Report) -> Fetched:
            raise NotEnoughSpace("no room")

    sources: list[Source] = [Full(), hub(web)]
    with pytest.raises(NotEnoughSpace):
        await pull(card(), ModelStore(tmp_path), sources, ignore)

    assert not web.requests


async def test_an_installed_model_is_not_fetched_again(web: FakeWeb, tmp_path: Path) -> None:
    store = ModelStore(tmp_path)
    await pull(card(), store, [hub(web)], ignore)
    web.requests.clear()

    await pull(card(), store, [hub(web)], ignore)

    assert not web.requests


async def test_two_tasks_that_want_one_model_fetch_it_once(web: FakeWeb, tmp_path: Path) -> None:
    store = ModelStore(tmp_path)

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(pull(card(), store, [hub(web)], ignore))

    assert len(web.asked(web.redirects[HUB_PATH])) == 1


def _pull_in_a_process(url: str, folder: str) -> None:
    source = HuggingFaceSource(Web(Gate()), {"HF_ENDPOINT": url})
    asyncio.run(pull(card(), ModelStore(Path(folder)), [source], ignore))


def test_two_processes_that_want_one_model_fetch_it_once(web: FakeWeb, tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_pull_in_a_process, args=(web.url, str(tmp_path))) for _ in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0]
    assert len(web.asked(web.redirects[HUB_PATH])) == 1


async def test_a_file_of_the_users_own_is_used_where_it_lies(tmp_path: Path) -> None:
    file = tmp_path / "mine.gguf"
    file.write_bytes(MODEL)
    store = ModelStore(tmp_path / "models")

    model = await pull(find(str(file)), store, [LocalSource()], ignore)

    assert model.path == file
    assert names(tmp_path) == ["mine.gguf", "models"]
    assert not store.remove(model.card)
    assert file.read_bytes() == MODEL


async def test_a_file_of_the_users_own_that_is_no_model_is_said_so(tmp_path: Path) -> None:
    file = tmp_path / "notes.gguf"
    file.write_text("hello")

    with pytest.raises(ModelUnavailable, match=r"notes.gguf is not a GGUF model file .*'hell'"):
        await pull(find(str(file)), ModelStore(tmp_path), [LocalSource()], ignore)


def lay_out_ollama(folder: Path, content: bytes, stored: bytes | None = None) -> None:
    """Write what Ollama's folder of models looks like."""
    manifest = folder / "manifests" / "registry.ollama.ai" / "library" / "toy" / "1b"
    manifest.parent.mkdir(parents=True)
    manifest.write_bytes(ollama_manifest(content))
    blob = folder / "blobs" / f"sha256-{sha256(content)}"
    blob.parent.mkdir()
    blob.write_bytes(content if stored is None else stored)
