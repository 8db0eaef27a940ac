"""Reading the configuration: settings always, and what is wrong with it, by name and line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.config.load import load_settings, parse_settings
from ringfence.config.settings import BackendKind, Settings
from ringfence.privacy import Zone

FILE = Path("config.yaml")
REFERENCE = Path(__file__).with_name("inference-router.config.yaml")


def messages(text: str) -> list[str]:
    return [problem.message for problem in parse_settings(text, FILE, {}).problems]


def test_no_file_means_the_defaults(tmp_path: Path) -> None:
    loaded = load_settings(tmp_path / "none.yaml", {})

    assert loaded.settings == Settings()
    assert not loaded.exists


def test_the_full_form_is_read() -> None:
    text = """
backends:
  - name: laptop
    kind: ollama
    url: http://127.0.0.1:11434
    zone: device
    api_key: ${KEY}
    models:
      - {id: "qwen2.5-coder:7b", roles: [completion, edit], parameters: 8B, context: 24000}
workspaces:
  - {path: /project/acme, allow: network}
"""
    loaded = parse_settings(text, FILE, {"KEY": "sk-1"})

    (backend,) = loaded.settings.backends
    assert loaded.problems == ()
    assert (backend.kind, backend.zone) == (BackendKind.OLLAMA, Zone.DEVICE)
    assert backend.api_key is not None
    assert backend.api_key.get_secret_value() == "sk-1"
    assert loaded.settings.workspaces[0].allow is Zone.NETWORK


def test_the_reference_configuration_loads_and_each_key_does_what_it_says() -> None:
    loaded = load_settings(REFERENCE, {"OPENAI_API_KEY": "sk-1"})

    settings = loaded.settings
    assert loaded.errors == ()
    by_zone = {backend.zone: backend for backend in settings.backends}
    assert by_zone[Zone.DEVICE].url == "http://localhost:11434"
    assert by_zone[Zone.CLOUD].url == "https://api.openai.com/v1"
    assert by_zone[Zone.CLOUD].api_key is not None
    assert settings.routing.max_local_context_tokens == 24_000
    assert settings.routing.max_tool_chain_length == 8
    assert settings.routing.local.default == "llama3.1:8b"
    assert settings.routing.local.high_precision == "qwen2.5:14b"
    assert settings.routing.local.quantization == "Q4_K_M"
    assert settings.routing.cloud.default == "gpt-4o"
    assert settings.routing.cloud.fallback == "claude-3-5-sonnet"
    assert settings.health.interval_seconds == 30
    assert settings.health.timeout_ms == 2000
    assert settings.health.retry_count == 2
    assert settings.validation.strict_json
    assert settings.validation.max_retries_on_failure == 3
    assert settings.validation.temperature_reduction == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("backend: []\n", ["line 1", "backend", "backends"]),
        ("backends:\n  - name: a\n    zome: device\n", ["line 3", "zome", "zone"]),
        ("router:\n  thresholds:\n    max_tool_chain: 1\n", ["line 3", "max_tool_chain_length"]),
        ("completion:\n  multiline: sometimes\n", ["line 2", "multiline"]),
        ("backends:\n  - {name: a, zone: moon}\n", ["line 2", "device", "network", "cloud"]),
        ("health: {retry_count: -1}\n", ["line 1", "retry_count"]),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_nearest_valid_key(
    text: str, words: list[str]
) -> None:
    loaded = parse_settings(text, FILE, {})

    assert loaded.settings == Settings()
    assert loaded.errors
    assert all(word in loaded.errors[0].message for word in words)


@pytest.mark.parametrize("text", ["a: 1\na: 2\n", "\tx: 1\n", "- a\n", "a: [\n", "x: *a\n"])
def test_what_is_no_configuration_is_an_error_and_the_defaults_hold(text: str) -> None:
    loaded = parse_settings(text, FILE, {})

    assert loaded.settings == Settings()
    assert loaded.errors


def test_a_missing_variable_is_named() -> None:
    text = "backends:\n  - {name: a, url: 'http://x', api_key: '${NO_SUCH}'}\n"

    (message,) = messages(text)

    assert "NO_SUCH" in message


def test_a_key_in_plain_text_is_taken_with_a_warning_that_does_not_repeat_it() -> None:
    text = "backends:\n  - {name: a, url: 'http://x', api_key: sk-very-secret}\n"

    loaded = parse_settings(text, FILE, {})

    assert loaded.errors == ()
    assert loaded.settings.backends[0].api_key is not None
    assert loaded.problems
    assert "sk-very-secret" not in repr(loaded)


@pytest.mark.parametrize(
    "make",
    [
        lambda file: file.mkdir(),
        lambda file: file.write_bytes(b"\xff\xfe\x00bad"),
        lambda file: file.write_bytes(b"x" * 3_000_000),
    ],
    ids=["a folder", "no UTF-8", "huge"],
)
def test_a_file_that_cannot_be_read_means_the_defaults(tmp_path: Path, make: object) -> None:
    file = tmp_path / "config.yaml"
    make(file)  # type: ignore[operator]

    loaded = load_settings(file, {})

    assert loaded.settings == Settings()
    assert loaded.errors


@given(st.text(max_size=200))
def test_any_text_gives_settings_and_never_an_exception(text: str) -> None:
    assert parse_settings(text, FILE, {}).settings is not None


_yaml = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["backends", "name", "url", "zone", "routing", "router", "x", "local"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_yaml)
def test_any_shape_of_yaml_gives_settings_and_never_an_exception(value: object) -> None:
    import yaml

    loaded = parse_settings(yaml.safe_dump(value), FILE, {})

    if loaded.errors:
        assert loaded.settings == Settings()
