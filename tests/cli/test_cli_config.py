"""``ringfence config``."""

from pathlib import Path

import yaml
from jsonschema import Draft202012Validator

from tests.cli.conftest import Home

KEYS = """
backends:
  - {name: a, url: "http://127.0.0.1:1", zone: device, api_key: "${A_KEY}"}
  - {name: b, url: "http://127.0.0.1:2", zone: device, api_key: literal-secret}
"""


def test_show_prints_a_configuration_without_secrets(home: Home, monkeypatch: object) -> None:
    home.config.write_text(KEYS)

    done = home.run("config", "show")

    assert done.code == 0
    shown = yaml.safe_load(done.out)
    assert [backend["api_key"] for backend in shown["backends"]] == ["${A_KEY}", "****"]
    assert "literal-secret" not in done.out + done.err
    assert "A_KEY, which is not set" in done.err


def test_config_alone_shows(home: Home) -> None:
    assert home.run("config").out == home.run("config", "show").out
    assert home.run("config", "--json").json["settings"]["engine"]["enabled"] is False


def test_show_says_that_the_defaults_hold(home: Home) -> None:
    home.config.write_text("completoin: {}\n")

    done = home.run("config", "show")

    assert done.code == 0
    assert "completion" in done.err
    assert "these are the defaults" in done.err


def test_check_accepts_what_is_in_order(home: Home) -> None:
    done = home.run("config", "check")

    assert done.code == 0
    assert "is in order" in done.out
    assert home.run("config", "check", "--json").json["problems"] == []


def test_check_names_each_problem_and_exits_with_1(home: Home, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("a: 1\nb: 2\n")

    plain, as_json = (
        home.run("config", "check", str(other)),
        home.run("config", "check", str(other), "--json"),
    )

    assert plain.code == as_json.code == 1
    assert "line 1" in plain.out
    assert "line 2" in plain.out
    assert [problem["line"] for problem in as_json.json["problems"]] == [1, 2]
    assert not as_json.json["valid"]
    assert as_json.json["error"]["code"] == "config-invalid"


def test_check_of_a_file_that_is_not_there(home: Home, tmp_path: Path) -> None:
    done = home.run("config", "check", str(tmp_path / "none.yaml"))

    assert done.code == 1
    assert "does not exist" in done.out


def test_path_says_where_everything_is(home: Home) -> None:
    assert home.run("config", "path").out == f"{home.config}\n"
    assert home.run("config", "path", "--json").json["models"] == str(home.folder / "models")


def test_schema_is_a_json_schema_either_way(home: Home) -> None:
    plain, as_json = home.run("config", "schema"), home.run("config", "schema", "--json")

    Draft202012Validator.check_schema(plain.json)
    assert plain.out == as_json.out
