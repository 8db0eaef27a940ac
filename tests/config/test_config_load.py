"""The configuration becomes settings, and whatever is wrong a sentence with its line."""

from pathlib import Path

import pytest

from ringfence.config.load import Loaded, load_settings, parse_settings
from ringfence.config.settings import BackendKind, Settings
from ringfence.privacy import Zone

PATH = Path("config.yaml")


def load(text: str, **environment: str) -> Loaded:
    return parse_settings(text, PATH, environment)


def test_the_full_form_is_read() -> None:
    loaded = load(
        """
backends:
  - name: laptop
    kind: llamacpp
    url: http://127.0.0.1:8080
    zone: device
    api_key: ${SOME_KEY}
    models:
      - {id: "qwen2.5-coder:7b", roles: [completion, edit], parameters: 8B,
         quantization: Q4_K_M, context: 24000}
      - {id: gpt, parameters: null, quantization: null}
workspaces:
  - {path: ~/clients/acme, allow: device}
  - {path: ~/oss, allow: cloud, never_send: ["*.key"], redact_secrets: false}
completion: {max_tokens: 12, completion_fallback: on}
memory: {limit_gb: 8}
""",
        SOME_KEY="secret-1",
    )

    assert loaded.problems == ()
    backend = loaded.settings.backends[0]
    assert backend.kind is BackendKind.LLAMACPP
    assert backend.zone is Zone.DEVICE
    assert backend.api_key is not None
    assert backend.api_key.get_secret_value() == "secret-1"
    assert backend.models[0].roles == ("completion", "edit")
    assert backend.models[1].parameters is None
    assert loaded.settings.workspaces[0].path == Path.home() / "clients/acme"
    assert loaded.settings.workspaces[1].allow is Zone.CLOUD
    assert not loaded.settings.workspaces[1].redact_secrets
    assert loaded.settings.completion.completion_fallback == "on"
    assert loaded.settings.memory.limit_gb == 8


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("completoin: {}", 'line 1: "completoin" is not a known key; did you mean "completion"?'),
        (
            "engine: {}\nbackends:\n  - {name: a, url: 'http://a', modles: []}",
            'line 3: "modles" is not a known key; did you mean "models"?',
        ),
        ("max_tokens: 3", 'line 1: "max_tokens" is not a known key; it belongs under "completion"'),
        ("\n\nxyz: 1", 'line 3: "xyz" is not a known key; the nearest valid key is'),
        ("completion:\n  max_tokens: many", 'line 2: "completion.max_tokens" must be a whole'),
        ("completion: {max_tokens: true}", '"completion.max_tokens" must be a whole number.'),
        ("completion: {max_tokens: '3'}", '"completion.max_tokens" must be a whole number.'),
        ("completion: {max_tokens: 2000}", "must be 1024 or less."),
        ("completion: {max_tokens: 0}", "must be greater than 0."),
        ("completion: {enabled: 'yes'}", "must be true or false."),
        ("health: {interval_seconds: .inf}", "must be a number."),
        ("health: {timeout_ms: 99999999999999999999}", "too large"),
        ("completion: []", '"completion" must be a mapping of keys to values.'),
        ("workspaces: {path: /a}", '"workspaces" must be a list.'),
        ("workspaces: [{allow: cloud}]", '"workspaces[0].path" is missing'),
        ("workspaces: [{path: here}]", "must be an absolute path, or begin with ~."),
        ("workspaces: [{path: /a, allow: clod}]", 'not "clod"; did you mean cloud?'),
        ("backends: [{name: a, url: 'http://a', kind: olama}]", "did you mean ollama?"),
        ("backends: [{name: a, url: 5}]", "must be text or a list; put quotes around it."),
        ("backends: [{name: a, url: ['http://a', 5]}]", '"backends[0].url[1]" must be text'),
        ("backends: [{name: a}]", '"backends[0]" has no url'),
        ("backends: [{name: a, url: 'localhost:1'}]", "must be an address such as http://"),
        ("backends: [{name: a, url: 'http://u:p@a'}]", "must hold no password"),
        ("backends: [{name: a, url: 'http://a:99999'}]", "must be an address such as http://"),
        ("engine: {}\nengine: {}", 'line 2: "engine" is given twice (first in line 1)'),
        ("engine:\n\tenabled: true", "line 2: a tab stands where YAML takes spaces only"),
        ("engine: [", "line 1: this is not YAML"),
        ("a: b: c", "line 1: this is not YAML"),
        ("privacy:\n  never_send: [*.pem]", "line 2: a text that begins with `*` or `&` needs"),
        ("- a\n- b", "holds a list; a configuration holds keys"),
        ("hello", "holds a single value"),
        ("[a]: b", "a key must be a word"),
        ("a: 1\n---\nb: 2", "line 2: this is not YAML"),
        ("engine: \x01", "line 1: a control character"),
        ('engine: {model: "\\ud800"}', "half a character"),
        ("a: &a [*a]", "too large or too deeply nested"),
        ("engine: !!python/name:os.system {}", 'the tag on "engine" is not known'),
        ("memory: {limit_gb: !!timestamp 1}", 'the tag on "memory.limit_gb" is not known'),
        ("health: {retry_count: !!int x}", "is not what its tag says"),
        ("", "is empty, so the defaults hold."),
    ],
)
def test_what_is_wrong_is_said_with_its_key_and_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")

    loaded = load_settings(path, {})

    assert any(message in problem.message for problem in loaded.problems), loaded.problems
    assert loaded.settings == Settings()


def test_every_problem_is_told_in_the_order_of_the_file() -> None:
    loaded = load("foo: 1\ncompletion:\n  max_tokens: x\n  bar: 2\nbackends:\n  - {}\n")

    assert [(p.line, p.key) for p in loaded.problems] == [
        (1, "foo"),
        (3, "completion.max_tokens"),
        (4, "completion.bar"),
        (6, "backends[0].name"),
    ]


def test_two_backends_of_one_name_are_an_error() -> None:
    loaded = load("backends:\n  - {name: a, url: 'http://a'}\n  - {name: a, url: 'http://b'}\n")

    assert 'line 3: the name "a" is taken by backends[0]' in loaded.errors[0].message


def test_sections_without_a_value_count_as_left_out() -> None:
    loaded = load("completion:\nworkspaces:\n  - path: /a\n    allow:\n")

    assert loaded.problems == ()
    assert loaded.settings.workspaces[0].allow is Zone.DEVICE


def test_plain_words_are_those_of_yaml_1_2() -> None:
    loaded = load("completion: {completion_fallback: off}\nengine: {model: 2024-01-01}\n")

    assert loaded.problems == ()
    assert loaded.settings.completion.completion_fallback == "off"
    assert loaded.settings.engine.model == "2024-01-01"


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]

    problems = load("\n".join(lines)).problems

    assert any("too large" in problem.message for problem in problems)


def test_a_missing_variable_is_named_and_its_key_counts_as_left_out() -> None:
    loaded = load("backends:\n  - {name: a, url: 'http://a', api_key: '${NO_SUCH_KEY}'}\n")

    assert loaded.settings.backends[0].api_key is None
    (problem,) = loaded.problems
    assert problem.severity == "warning"
    assert "line 2" in problem.message
    assert "NO_SUCH_KEY, which is not set" in problem.message


def test_a_missing_variable_in_a_list_is_an_error_since_a_rule_would_vanish() -> None:
    loaded = load("privacy: {never_send: ['*.key', '${NO_SUCH}']}\n")

    assert loaded.errors
    assert loaded.settings == Settings()


def test_a_literal_key_is_taken_with_a_warning_that_does_not_show_it() -> None:
    loaded = load("backends: [{name: a, url: 'http://a', api_key: sk-very-secret}]")

    key = loaded.settings.backends[0].api_key
    assert key is not None
    assert key.get_secret_value() == "sk-very-secret"
    (problem,) = loaded.problems
    assert problem.severity == "warning"
    assert "sk-very-secret" not in repr(loaded)


@pytest.mark.parametrize(
    "text",
    [
        "backends: [{name: a, url: 'http://a', zone: '${SECRET}'}]",
        "backends: [{name: a, url: '${SECRET}'}]",
        "backends: [{name: a, url: 'http://a', kind: '${SECRET}'}]",
        "completion: {max_tokens: '${SECRET}'}",
        "workspaces: [{path: '${SECRET}'}]",
        "backends: [{name: a, url: 'http://a', api_key: [s3cr3t]}]",
        "router: {cloud_api_key: [s3cr3t]}",
    ],
)
def test_no_message_holds_a_value_from_the_environment_or_a_key(text: str) -> None:
    loaded = load(text, SECRET="s3cr3t")

    assert loaded.errors
    assert "s3cr3t" not in repr(loaded)


def test_an_address_elsewhere_declared_as_device_gives_a_warning() -> None:
    loaded = load("backends: [{name: a, url: 'http://192.168.1.5:11434', zone: device}]")

    assert not loaded.errors
    assert "cannot be verified as zone device" in loaded.problems[0].message


def test_privacy_cannot_be_switched_off() -> None:
    loaded = load("routing: {privacy_enforced: false}")

    assert not loaded.errors
    assert loaded.settings.routing.privacy_enforced
    assert "cannot be switched off" in loaded.problems[0].message


def test_a_file_that_the_user_named_ought_to_exist(tmp_path: Path) -> None:
    loaded = load_settings(None, {"RINGFENCE_CONFIG": str(tmp_path / "none.yaml")})

    assert "none.yaml does not exist" in loaded.problems[0].message
    assert loaded.settings == Settings()


def test_a_folder_and_bytes_that_are_no_text_are_named(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"engine: {}\nname: \xff\n")

    assert "is a folder" in load_settings(tmp_path).problems[0].message
    assert "line 2: a byte here is not UTF-8" in load_settings(file).problems[0].message


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"\xef\xbb\xbfengine: {enabled: false}\n")

    loaded = load_settings(file)

    assert loaded.problems == ()
    assert not loaded.settings.engine.enabled


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_bytes(b"#" * 2_000_000)

    assert "is too large" in load_settings(file).problems[0].message
