"""Sources in their order, one process at a time, and files of the user's own."""

import asyncio
import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.engine.catalogue import ModelCard, find
from ringfence.engine.errors import ModelUnavailable, NotEnoughSpace
from ringfence.engine.pull import pull
from ringfence.engine.sources.huggingface import HuggingFaceSource
from ringfence.engine.sources.local import LocalSource
from ringfence.engine.sources.protocol import Fetched, Report, Source
from ringfence.engine.sources.web import Web
from ringfence.engine.store import ModelStore
from ringfence.privacy import Gate
from tests.engine.fake_web import FakeWeb, sha256
from tests.engine.hubs import (
    HUB_PATH,
    MANIFEST_PATH,
    hub,
    ignore,
    library,
    names,
    serving,
)
from tests.engine.model_cards import MODEL, card


@pytest.fixture
def web() -> Iterator[FakeWeb]:
    with serving() as web:
        yield web


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
