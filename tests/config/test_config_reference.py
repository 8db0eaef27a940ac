"""The reference configuration loads as it is, and each of its keys does what it says."""

from pathlib import Path

from ringfence.config.load import load_settings, parse_settings
from ringfence.config.settings import BackendKind
from ringfence.privacy import Zone

REFERENCE = Path(__file__).parent / "inference-router.config.yaml"


def test_the_reference_loads_as_it_is() -> None:
    loaded = load_settings(REFERENCE, {"OPENAI_API_KEY": "k"})

    assert loaded.problems == ()
    local, cloud = loaded.settings.backends
    assert (local.name, local.kind, local.url, local.zone) == (
        "local",
        BackendKind.AUTO,
        "http://localhost:11434",
        Zone.DEVICE,
    )
    assert (cloud.name, cloud.kind, cloud.url, cloud.zone) == (
        "cloud",
        BackendKind.OPENAI,
        "https://api.openai.com/v1",
        Zone.CLOUD,
    )
    assert cloud.api_key is not None
    assert cloud.api_key.get_secret_value() == "k"
    routing = loaded.settings.routing
    assert routing.max_local_context_tokens == 24000
    assert routing.max_tool_chain_length == 8
    assert routing.privacy_enforced
    assert routing.local.default == "llama3.1:8b"
    assert routing.local.high_precision == "qwen2.5:14b"
    assert routing.local.quantization == "Q4_K_M"
    assert routing.cloud.default == "gpt-4o"
    assert routing.cloud.fallback == "claude-3-5-sonnet"
    health = loaded.settings.health
    assert (health.interval_seconds, health.timeout_ms, health.retry_count) == (30, 2000, 2)
    validation = loaded.settings.validation
    assert validation.strict_json
    assert validation.max_retries_on_failure == 3
    assert validation.temperature_reduction == 0.1


def test_the_reference_grants_nothing_to_any_folder() -> None:
    loaded = load_settings(REFERENCE, {})

    assert loaded.settings.workspaces == ()


def test_without_its_key_the_reference_still_loads() -> None:
    loaded = load_settings(REFERENCE, {})

    assert not loaded.errors
    assert "OPENAI_API_KEY" in loaded.problems[0].message
    assert loaded.settings.backends[1].api_key is None


def test_every_key_of_the_short_form_has_an_effect() -> None:
    text = REFERENCE.read_text()
    changes = {
        "localhost:11434": "localhost:9",
        "api.openai.com": "example.org",
        "${OPENAI_API_KEY}": "${OTHER}",
        "24000": "1000",
        "length: 8": "length: 3",
        "llama3.1:8b": "a",
        "qwen2.5:14b": "b",
        "Q4_K_M": "Q8_0",
        "gpt-4o": "c",
        "claude-3-5-sonnet": "d",
        "interval_seconds: 30": "interval_seconds: 5",
        "timeout_ms: 2000": "timeout_ms: 5",
        "retry_count: 2": "retry_count: 5",
        "strict_json: true": "strict_json: false",
        "failure: 3": "failure: 5",
        "reduction: 0.1": "reduction: 0.5",
    }
    environment = {"OPENAI_API_KEY": "k", "OTHER": "l"}
    before = parse_settings(text, REFERENCE, environment).settings

    for old, new in changes.items():
        assert old in text
        after = parse_settings(text.replace(old, new), REFERENCE, environment)
        assert after.problems == ()
        assert after.settings != before, old


def test_privacy_stays_enforced_with_a_warning() -> None:
    text = REFERENCE.read_text().replace("privacy_enforced: true", "privacy_enforced: false")

    loaded = parse_settings(text, REFERENCE, {"OPENAI_API_KEY": "k"})

    assert not loaded.errors
    assert loaded.settings.routing.privacy_enforced
    (problem,) = loaded.problems
    assert problem.line == 10
    assert "cannot be switched off" in problem.message


def test_both_forms_may_be_mixed_but_not_say_the_same_twice() -> None:
    mixed = "router: {local_endpoint: 'http://localhost:1'}\nbackends: [{name: b, url: 'http://b'}]"
    twice = "router: {validation: {strict_json: true}}\nvalidation: {strict_json: false}"
    taken = (
        "router: {local_endpoint: 'http://localhost:1'}\nbackends: [{name: local, url: 'http://b'}]"
    )

    assert [b.name for b in parse_settings(mixed, REFERENCE).settings.backends] == ["b", "local"]
    assert (
        '"router.validation" and "validation"' in parse_settings(twice, REFERENCE).errors[0].message
    )
    assert 'the name "local" is taken' in parse_settings(taken, REFERENCE).errors[0].message


def test_an_unknown_key_of_the_short_form_is_named() -> None:
    loaded = parse_settings("router: {cloud_endpont: 'https://a'}", REFERENCE)

    assert 'did you mean "cloud_endpoint"?' in loaded.errors[0].message
