"""The JSON Schema accepts what the documentation shows, and refuses what the loader refuses."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from ringfence.config.keys import all_keys
from ringfence.config.load import parse_settings
from ringfence.config.reference import ConfigurationFile
from ringfence.config.schema import file_schema

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = {"OPENAI_API_KEY": "k", "TEAM_KEY": "k", "SOME_KEY": "k"}
SECTIONS = set(ConfigurationFile.model_fields)


def examples() -> list[Any]:
    """Every example of a configuration in the documentation, and the reference."""
    found = []
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        blocks = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        for index, block in enumerate(blocks):
            values = yaml.safe_load(block)
            if isinstance(values, dict) and set(values) & SECTIONS:
                found.append(pytest.param(block, id=f"{page.name}-{index}"))
    reference = Path(__file__).parent / "inference-router.config.yaml"
    found.append(pytest.param(reference.read_text(), id="reference"))
    return found


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = file_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


@pytest.mark.parametrize("text", examples())
def test_documented_examples_are_valid(validator: Draft202012Validator, text: str) -> None:
    assert list(validator.iter_errors(yaml.safe_load(text))) == []
    assert parse_settings(text, Path("config.yaml"), ENVIRONMENT).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "completoin: {}",
        "backends: [{name: a, url: 'http://a', kind: olama}]",
        "workspaces: [{allow: cloud}]",
        "workspaces: [{path: /a, allow: moon}]",
        "completion: {max_tokens: x}",
        "completion: {max_tokens: 0}",
        "engine: {sources: [floppy]}",
    ],
)
def test_what_the_loader_refuses_the_schema_refuses(
    validator: Draft202012Validator, text: str
) -> None:
    assert list(validator.iter_errors(yaml.safe_load(text)))
    assert parse_settings(text, Path("config.yaml"), {}).errors


def test_defaults_are_words_that_the_schema_itself_accepts(validator: Draft202012Validator) -> None:
    schema = file_schema()
    for definition in schema["$defs"].values():
        for name, value in definition.get("properties", {}).items():
            if "default" in value and value["default"] is not None:
                resolved = Draft202012Validator({**value, "$defs": schema["$defs"]})
                assert list(resolved.iter_errors(value["default"])) == [], name


def test_every_key_has_a_description_and_stands_in_the_documentation() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    schema = file_schema()

    for place, key in all_keys(ConfigurationFile):
        assert re.search(rf"`(?:[\w.\[\]]*\.)?{key}(?:\[\])?(?:\.[\w.\[\]]+)?`", page), (place, key)
    for definition in (schema, *schema["$defs"].values()):
        for key, value in definition.get("properties", {}).items():
            assert "$ref" in value or value.get("description"), key
