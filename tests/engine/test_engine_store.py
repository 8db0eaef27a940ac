"""The folder that models lie in."""

from pathlib import Path

import pytest

from ringfence.engine.catalogue import find
from ringfence.engine.errors import ModelCorrupt, ModelNotInstalled
from ringfence.engine.sources.protocol import Fetched
from ringfence.engine.store import ModelStore
from tests.engine.fake_web import sha256
from tests.engine.model_cards import MODEL, card


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path)


def install(store: ModelStore, content: bytes = MODEL) -> None:
    path = store.destination(card())
    path.write_bytes(content)
    store.record(card(), Fetched(path, sha256(content), "wheels"))


def test_a_model_is_found_with_where_it_came_from(store: ModelStore) -> None:
    install(store)

    found = store.get(card())

    assert found is not None
    assert (found.size_bytes, found.sha256, found.source) == (len(MODEL), sha256(MODEL), "wheels")


def test_files_put_there_by_hand_are_listed_too(store: ModelStore) -> None:
    store.destination(find("qwen2.5-coder:7b")).write_bytes(MODEL)
    (store.folder / "starcoder2-3b.Q4_K_M.gguf").write_bytes(MODEL)

    models = store.installed()

    assert [model.card.id for model in models] == ["qwen2.5-coder:7b", "starcoder2-3b.Q4_K_M"]
    assert models[1].card.fim == "starcoder2"


def test_a_tag_outside_the_catalogue_keeps_its_name(store: ModelStore) -> None:
    tagged = find("codegemma:2b")
    path = store.destination(tagged)
    path.write_bytes(MODEL)
    store.record(tagged, Fetched(path, sha256(MODEL), "ollama"))

    [model] = store.installed()

    assert model.card == tagged
    assert store.get(tagged) == model


def test_unfinished_downloads_are_not_listed(store: ModelStore) -> None:
    (store.folder / ".toy-1b.gguf.0123.partial").write_bytes(MODEL)

    assert store.installed() == ()


def test_a_folder_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert ModelStore(tmp_path / "none").installed() == ()


def test_a_changed_file_is_found_out(store: ModelStore) -> None:
    install(store)
    store.verify(card())
    store.destination(card()).write_bytes(MODEL[:-1] + b"x")

    with pytest.raises(ModelCorrupt, match="ringfence models pull toy:1b"):
        store.verify(card())


def test_verifying_a_model_that_is_not_there_says_so(store: ModelStore) -> None:
    with pytest.raises(ModelNotInstalled):
        store.verify(card())


def test_removing_a_model_leaves_nothing(store: ModelStore) -> None:
    install(store)
    (store.folder / ".toy-1b.gguf.0123.partial").write_bytes(b"half")

    assert store.remove(card())
    assert not store.remove(card())
    assert list(store.folder.iterdir()) == []
