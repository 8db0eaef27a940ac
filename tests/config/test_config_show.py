"""What is shown holds no secrets; where files are kept can be moved."""

from pathlib import Path

import pytest

from ringfence.config.load import parse_settings
from ringfence.config.locate import find_directories
from ringfence.config.show import as_yaml, shown_settings

REFERENCE = Path(__file__).parent / "inference-router.config.yaml"


def test_keys_are_shown_as_references_or_not_at_all() -> None:
    text = """
backends:
  - {name: a, url: "http://a", api_key: "${KEY}"}
  - {name: b, url: "http://${HOST}:1", api_key: literal-secret}
  - {name: c, url: "http://c", api_key: "${MISSING}"}
"""
    loaded = parse_settings(text, Path("c"), {"KEY": "secret-1", "HOST": "secret-host"})

    shown = shown_settings(loaded)

    assert [backend["api_key"] for backend in shown["backends"]] == ["${KEY}", "****", "${MISSING}"]
    assert shown["backends"][1]["url"] == "http://${HOST}:1"
    assert "secret" not in as_yaml(shown).replace("redact_secrets", "")


def test_the_short_form_is_shown_in_full_with_its_references() -> None:
    text = (
        REFERENCE.read_text()
        .replace("gpt-4o", "${BEST}")
        .replace("http://localhost", "${LOCAL}")
        .replace("Q4_K_M", "${QUANTIZATION}")
    )
    values = {"OPENAI_API_KEY": "k", "BEST": "m", "LOCAL": "http://x", "QUANTIZATION": "Q8_0"}

    shown = shown_settings(parse_settings(text, REFERENCE, values))

    local, cloud = shown["backends"]
    assert (local["url"], cloud["api_key"]) == ("${LOCAL}:11434", "${OPENAI_API_KEY}")
    assert shown["routing"]["cloud"]["default"] == "${BEST}"
    assert shown["routing"]["local"]["quantization"] == "${QUANTIZATION}"


def test_zones_are_shown_as_words() -> None:
    shown = shown_settings(parse_settings("workspaces: [{path: /a, allow: cloud}]", REFERENCE))

    assert shown["workspaces"][0]["allow"] == "cloud"


def test_variables_move_files() -> None:
    moved = {"RINGFENCE_CONFIG": "/c.yaml", "RINGFENCE_STATE": "/s", "RINGFENCE_MODELS": "~/m"}

    directories = find_directories(moved)

    assert directories.config == Path("/c.yaml")
    assert (directories.state, directories.cache) == (Path("/s"), Path("/s/cache"))
    assert directories.logs == Path("/s/logs")
    assert directories.models == Path.home() / "m"
    assert directories.audit_log == Path("/s/audit.jsonl")


def test_without_variables_the_platform_s_folders_are_used() -> None:
    directories = find_directories({})

    assert directories.config.name == "config.yaml"
    assert directories.config.parent.name == "ringfence"
    assert directories.models.name == "models"


def test_a_home_folder_that_does_not_exist_is_taken_as_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    directories = find_directories({"RINGFENCE_STATE": "~nobody-of-this-name/x"})

    assert directories.state.is_absolute()
