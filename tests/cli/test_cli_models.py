"""``ringfence models``."""

from pathlib import Path

import pytest

from ringfence.cli.models import recommended
from ringfence.engine.catalogue import CATALOGUE
from ringfence.engine.machine import Machine
from tests.cli.conftest import Home

GB = 10**9


def install(home: Home, name: str = "qwen2.5-coder:0.5b") -> Path:
    """Put a file where a model would lie."""
    card = next(card for card in CATALOGUE if card.id == name)
    file = home.folder / "models" / card.filename
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"GGUF" + b"\0" * 996)
    return file


def test_the_list_names_size_licence_fit_and_state(home: Home) -> None:
    install(home)

    plain, as_json = home.run("models", "list"), home.run("models", "--json")

    assert plain.code == 0
    assert all(card.id in plain.out for card in CATALOGUE)
    assert "Apache-2.0" in plain.out
    rows = {row["id"]: row for row in as_json.json["models"]}
    assert rows["qwen2.5-coder:0.5b"]["installed"]
    assert not rows["qwen2.5-coder:7b"]["installed"]
    assert all(row["fit"] in {"suits", "slow", "too large"} for row in rows.values())


def test_a_file_of_the_user_s_own_is_listed(home: Home) -> None:
    own = home.folder / "my-codegemma.gguf"
    own.write_bytes(b"GGUF")
    home.config.write_text(f"engine: {{model: '{own}'}}\n")

    rows = home.run("models", "list", "--json").json["models"]

    assert [row["id"] for row in rows if row["chosen"]] == ["my-codegemma"]


def test_a_model_that_is_here_is_not_fetched(home: Home) -> None:
    file = install(home)

    done = home.run("models", "pull", "qwen2.5-coder:0.5b", "--json")

    assert done.code == 0
    assert not done.json["fetched"]
    assert done.json["path"] == str(file)


def test_an_unknown_model_is_named_with_the_nearest(home: Home) -> None:
    done = home.run("models", "pull", "qwen2.5-coder-0.5b")

    assert done.code == 1
    assert "did you mean 'qwen2.5-coder:0.5b'?" in done.err
    assert home.run("models", "pull", "nonsense", "--json").json["error"]["code"] == "unknown-model"


def test_without_any_source_the_remedy_is_told(home: Home) -> None:
    home.config.write_text("engine: {sources: []}\n")

    done = home.run("models", "pull", "qwen2.5-coder:0.5b", "--json")

    assert done.code == 1
    assert done.json["error"]["code"] == "model-unavailable"


def test_a_model_is_removed_once(home: Home) -> None:
    file = install(home)

    first = home.run("models", "remove", "qwen2.5-coder:0.5b")
    second = home.run("models", "remove", "qwen2.5-coder:0.5b", "--json")

    assert first.code == 0
    assert not file.exists()
    assert second.code == 1
    assert second.json["error"]["code"] == "model-not-installed"


def test_a_file_of_the_user_s_own_is_never_removed(home: Home) -> None:
    own = home.folder / "own.gguf"
    own.write_bytes(b"GGUF")

    done = home.run("models", "remove", str(own))

    assert done.code == 1
    assert own.exists()


@pytest.mark.parametrize(
    ("machine", "model"),
    [
        (Machine(2, 2.0, 24 * GB, 20 * GB), "qwen2.5-coder:0.5b"),
        (Machine(4, 4.0, 8 * GB, 6 * GB), "qwen2.5-coder:1.5b"),
        (Machine(12, 12.0, 32 * GB, 20 * GB), "qwen2.5-coder:7b"),
        (Machine(8, 8.0, 16 * GB, 12 * GB, unified_gpu=True), "qwen2.5-coder:7b"),
        (Machine(1, 1.0, 1 * GB, 1 * GB), "qwen2.5-coder:0.5b"),
    ],
)
def test_the_largest_free_model_that_runs_well_is_recommended(machine: Machine, model: str) -> None:
    assert recommended(machine).id == model


def test_a_limit_of_memory_is_respected() -> None:
    machine = Machine(12, 12.0, 32 * GB, 20 * GB)

    assert recommended(machine, memory_limit=2 * GB).id == "qwen2.5-coder:1.5b"
