"""Whatever stands in the file, there are settings, and problems with a place."""

import json
from pathlib import Path
from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ringfence.config.keys import all_keys
from ringfence.config.load import Loaded, parse_settings
from ringfence.config.reference import ConfigurationFile
from ringfence.config.settings import Settings
from ringfence.config.show import as_yaml, shown_settings

PATH = Path("config.yaml")

KEYS = sorted({name for _, name in all_keys(ConfigurationFile)})
WORDS = [
    *["device", "network", "cloud", "auto", "ollama", "engine", "never", "off", "~", "/a", "~/a"],
    *["http://127.0.0.1:1", "${KEY}", "${NO}", "x", "", "completion", "8B"],
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(WORDS),
    st.text(max_size=8),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=5)), inner, max_size=4),
    ),
    max_leaves=12,
)


def check(loaded: Loaded) -> None:
    assert isinstance(loaded.settings, Settings)
    if loaded.errors:
        assert loaded.settings == Settings()
    for problem in loaded.problems:
        assert problem.message.startswith("config.yaml")
        assert problem.line is None or problem.line >= 1
        assert "secret-value" not in problem.message
    # What is shown may be read by anybody, and JSON has no other kinds of values.
    assert "secret-value" not in json.dumps(shown_settings(loaded))


# An error deep inside is unwound slowly.
@settings(deadline=None)
@given(st.text())
@example("a: &a [*a]")
@example("[" * 1500)
@example("{a: " * 2000)
@example("? [a, b]\n: c")
@example("<<: {a: b}")
@example('"\\ud800": 1')
@example("a: " + "9" * 6000)
@example("\ufeff\ufeffa: 1")
@example("%YAML 9.9\n---\na: 1")
def test_any_text_gives_settings_and_problems(text: str) -> None:
    check(parse_settings(text, PATH, {}))


@given(values)
def test_any_yaml_gives_settings_and_problems(value: Any) -> None:
    text = yaml.dump(value, allow_unicode=True)

    check(parse_settings(text, PATH, {"KEY": "secret-value"}))


@given(st.dictionaries(st.sampled_from(list(ConfigurationFile.model_fields)), values, max_size=4))
def test_any_sections_give_settings_and_problems(value: dict[str, Any]) -> None:
    text = yaml.dump(value, allow_unicode=True)

    check(parse_settings(text, PATH, {"KEY": "secret-value"}))


names = st.text(min_size=1).filter(str.isprintable)
zones = st.sampled_from(["device", "network", "cloud"])
valid: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "workspaces": st.lists(
            st.fixed_dictionaries({"path": st.just("/a/b"), "allow": zones}), max_size=3
        ),
        "backends": st.lists(
            st.fixed_dictionaries(
                {"url": st.just("http://127.0.0.1:1"), "zone": zones, "name": names},
                optional={"api_key": st.sampled_from(["${KEY}", "literal-key"])},
            ),
            max_size=3,
            unique_by=lambda backend: str(dict(backend)["name"]),
        ),
        "completion": st.fixed_dictionaries({"max_tokens": st.integers(1, 1024)}),
        "health": st.fixed_dictionaries({"interval_seconds": st.floats(0.1, 1e6)}),
    },
)


@given(valid)
def test_what_is_shown_loads_again_to_the_same_settings(value: dict[str, Any]) -> None:
    environment = {"KEY": "secret-value"}
    loaded = parse_settings(yaml.dump(value, allow_unicode=True), PATH, environment)
    assert not loaded.errors

    again = parse_settings(as_yaml(shown_settings(loaded)), PATH, environment)

    assert not again.errors
    literal = [b.api_key for b in loaded.settings.backends if "literal" in _key(b.api_key)]
    if not literal:
        assert again.settings == loaded.settings


def _key(secret: Any) -> str:
    return "" if secret is None else str(secret.get_secret_value())
