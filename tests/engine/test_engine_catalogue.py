"""The models known by name, and other ways to name one."""

from pathlib import PurePath, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.engine.catalogue import CATALOGUE, HubFile, find
from ringfence.engine.errors import UnknownModel


def test_names_and_files_are_unique() -> None:
    assert len({card.id for card in CATALOGUE}) == len(CATALOGUE)
    assert len({card.filename for card in CATALOGUE}) == len(CATALOGUE)


@pytest.mark.parametrize("card", CATALOGUE, ids=lambda card: card.id)
def test_a_card_says_all_that_a_user_should_know(card: object) -> None:
    found = find(card.id)  # type: ignore[attr-defined]

    assert found is card
    assert found.licence
    assert found.fim
    assert found.size_bytes > 100_000_000
    assert found.least_memory_bytes > found.size_bytes
    assert found.ollama
    assert found.hub is not None
    assert (found.wheels is None) or (found.sha256 is not None)
    assert found.sha256 is None or len(bytes.fromhex(found.sha256)) == 32


def test_the_one_licence_that_forbids_commerce_is_said_exactly() -> None:
    assert find("qwen2.5-coder:3b").licence.startswith("LicenseRef-Qwen-Research")
    others = {card.licence for card in CATALOGUE if card.id != "qwen2.5-coder:3b"}
    assert others == {"Apache-2.0"}


def test_a_misspelt_name_brings_up_the_nearest() -> None:
    with pytest.raises(UnknownModel, match=r"did you mean 'qwen2.5-coder:1.5b'"):
        find("qwen2.5-coder-1.5b")


def test_any_tag_of_the_ollama_library_can_be_named() -> None:
    card = find("deepseek-coder:1.3b")

    assert card.ollama == "deepseek-coder:1.3b"
    assert card.fim == "deepseek-coder"
    assert card.sha256 is None


def test_any_file_of_the_hub_can_be_named() -> None:
    card = find("someone/Some-Model-GGUF/some-model.Q4_K_M.gguf")

    assert card.hub == HubFile("someone/Some-Model-GGUF", "some-model.Q4_K_M.gguf")
    assert card.fim is None


@pytest.mark.parametrize("name", ["./a.gguf", "~/models/a.gguf", "/m/a.gguf", "C:\\m\\a.gguf"])
def test_a_path_names_a_file(name: str) -> None:
    card = find(name)

    assert card.path is not None
    assert card.ollama is None


@given(st.text(max_size=60))
def test_whatever_is_named_its_file_stays_in_the_store(name: str) -> None:
    try:
        card = find(name)
    except UnknownModel:
        return
    for kind in (PurePath, PureWindowsPath):
        assert kind(card.filename).name == card.filename
    assert card.filename.endswith(".gguf")
