"""What names tell, what the user says, where a model is computed, what an address means."""

from __future__ import annotations

import pytest

from ringfence.backends._facts import count_of, merge, quantization_in
from ringfence.backends._schema import strict
from ringfence.backends.locality import at_endpoint, ollama_place, vllm_place
from ringfence.backends.urls import openai_base, server_root
from ringfence.backends.values import Role
from ringfence.config.settings import ModelSettings
from ringfence.privacy import Endpoint, Zone
from tests.fakes.openai import check_strict

from .asking import a_model


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("8B", 8_000_000_000),
        ("7.6B", 7_600_000_000),
        ("494M", 494_000_000),
        ("qwen2.5-coder:1.5b", 1_500_000_000),
        ("Qwen2.5-Coder-7B-Instruct", 7_000_000_000),
        ("llama-3.1_70b_q4", 70_000_000_000),
        ("gpt-4o", None),
        ("latest", None),
        ("v2beta", None),
    ],
)
def test_parameters_are_read_from_words(words: str, count: int | None) -> None:
    assert count_of(words) == count


@pytest.mark.parametrize(
    ("name", "quantization"),
    [
        ("qwen2.5-coder-7b-instruct-q4_k_m.gguf", "Q4_K_M"),
        ("Llama-3-8B.IQ3_XS.gguf", "IQ3_XS"),
        ("model-Q8_0", "Q8_0"),
        ("Qwen2.5-Coder-7B-AWQ", "AWQ"),
        ("model-f16.gguf", "F16"),
        ("gpt-4o", None),
    ],
)
def test_quantizations_are_read_from_names(name: str, quantization: str | None) -> None:
    assert quantization_in(name) == quantization


def test_the_users_words_stand_over_the_servers() -> None:
    said = ModelSettings(
        id="m",
        roles=("edit",),
        parameters="14B",
        quantization="Q8_0",
        context=4000,
        fim="codestral",
    )

    merged = merge(a_model(parameters=7_000_000_000, quantization="Q4_K_M", context=8192), said)

    assert merged.roles == {Role.EDIT}
    assert merged.parameters == 14_000_000_000
    assert merged.quantization == "Q8_0"
    assert merged.context == 4000
    assert merged.fim is not None
    assert merged.fim.family == "codestral"
    assert len(merged.contradictions) == 3
    assert "the configuration says Q8_0, the server Q4_K_M" in merged.contradictions[0]


def test_a_context_beyond_the_served_one_is_a_contradiction_and_not_used() -> None:
    merged = merge(a_model(context=8192), ModelSettings(id="m", context=32_000))

    assert merged.context == 8192
    assert "32000" in merged.contradictions[0]


def test_words_that_agree_are_no_contradiction() -> None:
    model = a_model(parameters=7_615_616_512, quantization="Q4_K_M", context=8192)
    said = ModelSettings(id="m", parameters="8B", quantization="q4_k_m", context=8192)

    assert merge(model, said).contradictions == ()


def test_a_format_that_the_user_names_makes_a_completion_model() -> None:
    plain = a_model(fim=None, fills_in_the_middle=False, roles=frozenset({Role.EDIT}))

    merged = merge(plain, ModelSettings(id="m", fim="starcoder2"))

    assert merged.fills_in_the_middle
    assert Role.COMPLETION in merged.roles


@pytest.mark.parametrize(
    ("written", "root"),
    [
        ("http://localhost:11434", "http://localhost:11434"),
        ("http://localhost:1234/v1/", "http://localhost:1234"),
        ("localhost:8080/v1", "http://localhost:8080"),
        ("http://box/api", "http://box"),
        ("http://box/api/v1", "http://box"),
        ("https://box/llm/v1", "https://box/llm"),
    ],
)
def test_a_servers_root_is_found(written: str, root: str) -> None:
    assert server_root(written) == root
    assert server_root(root) == root


@pytest.mark.parametrize(
    ("written", "base"),
    [
        ("https://api.openai.com", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api/v1"),
        ("https://host/v1beta/openai/", "https://host/v1beta/openai"),
        ("https://host/api/paas/v4", "https://host/api/paas/v4"),
        ("http://v1.example:80", "http://v1.example:80/v1"),
    ],
)
def test_a_version_is_never_added_twice(written: str, base: str) -> None:
    assert openai_base(written) == base
    assert openai_base(base) == base


def endpoint(zone: Zone, url: str = "http://127.0.0.1:1") -> Endpoint:
    return Endpoint("laptop", url, zone)


def test_a_user_may_declare_farther_and_never_nearer() -> None:
    assert at_endpoint(endpoint(Zone.NETWORK), "x").zone is Zone.NETWORK
    assert at_endpoint(endpoint(Zone.CLOUD), "x").zone is Zone.CLOUD
    assert at_endpoint(endpoint(Zone.DEVICE, "http://192.168.1.5:80"), "x").zone is Zone.NETWORK
    assert at_endpoint(endpoint(Zone.DEVICE, "http://8.8.8.8"), "x").zone is Zone.CLOUD


@pytest.mark.parametrize(
    "name",
    ["gpt-oss:120b-cloud", "glm-4.6:cloud", "GLM:Cloud", "qwen3:480B-CLOUD", "my/model:x:cloud"],
)
def test_names_of_ollamas_cloud_are_remote(name: str) -> None:
    place = ollama_place(endpoint(Zone.DEVICE), name, described=True, remote=False)

    assert place.zone is Zone.CLOUD


def test_an_ollama_model_is_local_only_when_ollama_says_so() -> None:
    at = endpoint(Zone.DEVICE)

    assert ollama_place(at, "a:7b", described=True, remote=False).zone is Zone.DEVICE
    assert ollama_place(at, "a:7b", described=True, remote=True).zone is Zone.CLOUD
    assert ollama_place(at, "a:7b", described=False, remote=False).zone is Zone.CLOUD


def test_a_server_that_hides_its_name_is_believed_in_the_network_only() -> None:
    assert vllm_place(endpoint(Zone.DEVICE), "vllm").zone is Zone.DEVICE
    assert vllm_place(endpoint(Zone.DEVICE), "").zone is Zone.CLOUD
    assert vllm_place(endpoint(Zone.NETWORK), "").zone is Zone.NETWORK
    assert vllm_place(endpoint(Zone.NETWORK), "openai").zone is Zone.CLOUD


def test_a_schema_is_narrowed_to_what_strict_mode_takes() -> None:
    schema = {
        "title": "Plan",
        "type": "object",
        "$defs": {
            "Step": {
                "type": "object",
                "title": "Step",
                "properties": {
                    "file": {"type": "string", "title": "File", "default": "a.py", "minLength": 1},
                    "line": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None},
                },
                "required": [],
            }
        },
        "properties": {
            "steps": {"type": "array", "items": {"$ref": "#/$defs/Step", "description": "one"}},
            "kind": {"allOf": [{"enum": ["a", "b"]}], "default": "a"},
            "title": {"type": "string"},
        },
        "required": ["steps"],
    }

    narrowed = strict(schema)

    check_strict(narrowed)
    assert narrowed is not None
    assert narrowed["required"] == ["steps", "kind", "title"]
    assert narrowed["$defs"]["Step"]["required"] == ["file", "line"]
    assert narrowed["properties"]["steps"]["items"] == {"$ref": "#/$defs/Step"}
    assert narrowed["properties"]["kind"] == {"enum": ["a", "b"]}


def test_a_schema_with_names_of_the_models_choice_cannot_be_strict() -> None:
    assert strict({"type": "object", "additionalProperties": {"type": "string"}}) is None
