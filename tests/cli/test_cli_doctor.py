"""``ringfence doctor``: what is broken is named with its remedy."""

import os
import sys
from typing import Any

import pytest

from tests.cli.conftest import Done, Home
from tests.cli.fake_process import fake_server


def checks(done: Done, topic: str) -> list[dict[str, Any]]:
    return [check for check in done.json["checks"] if check["topic"] == topic]


def test_nothing_to_complete_with_is_broken(home: Home) -> None:
    done = home.run("doctor", "--json")

    assert done.code == 1
    assert not done.json["healthy"]
    (engine,) = checks(done, "engine")
    assert engine["health"] == "fail"
    assert "engine.enabled" in engine["remedy"]


def test_an_engine_without_a_model_says_how_to_get_one(home: Home) -> None:
    pytest.importorskip("xllamacpp", reason="the embedded engine is not installed")
    home.config.write_text("completion: {}\n")

    done = home.run("doctor", "--json")

    assert done.code == 1
    assert "ringfence models pull" in checks(done, "engine")[0]["remedy"]


def test_a_server_that_completes_is_enough(home: Home) -> None:
    with fake_server("llamacpp") as url:
        home.config.write_text(
            f"backends: [{{name: laptop, url: '{url}', zone: device}}]\n"
            "engine: {enabled: false}\n"
        )

        done = home.run("doctor", "--json")
        plain = home.run("doctor")

    assert done.code == 0
    (backend,) = checks(done, "backend laptop")
    assert backend["kind"] == "llamacpp"
    assert backend["probe_ms"] >= 0
    assert backend["models"][0]["zone"] == "device"
    assert plain.code == 0
    assert "laptop" in plain.out
    assert "fail " not in plain.out


def test_a_dead_server_is_named(home: Home) -> None:
    home.config.write_text(
        "backends: [{name: laptop, kind: ollama, url: 'http://127.0.0.1:9', zone: device}]\n"
        "engine: {enabled: false}\n"
    )

    done = home.run("doctor", "--json")

    assert done.code == 1
    (backend,) = checks(done, "backend laptop")
    assert (backend["health"], backend["reason"]) == ("fail", "unreachable")


def test_a_server_beyond_every_policy_is_not_asked(home: Home) -> None:
    home.config.write_text(
        "backends: [{name: far, kind: openai, url: 'http://192.0.2.1', zone: cloud}]\n"
    )

    (backend,) = checks(home.run("doctor", "--json"), "backend far")

    assert backend["health"] == "warn"
    assert "no workspace allows cloud" in backend["message"]
    assert "workspaces" in backend["remedy"]


def test_mistakes_in_the_configuration_are_shown(home: Home) -> None:
    home.config.write_text("completoin: {}\n")

    done = home.run("doctor", "--json")

    assert done.code == 1
    assert checks(done, "configuration")[0]["line"] == 1


def test_the_policy_of_this_folder_is_told(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(home.folder)
    home.config.write_text(f"workspaces: [{{path: '{home.folder}', allow: network}}]\n")

    (policy,) = checks(home.run("doctor", "--json"), "policy")

    assert policy["allow"] == "network"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
def test_files_that_others_may_change_are_told(home: Home) -> None:
    home.config.chmod(0o666)

    problems = [c for c in checks(home.run("doctor", "--json"), "configuration") if c["remedy"]]

    assert any("chmod" in problem["remedy"] for problem in problems)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_folder_that_cannot_be_written_is_told(home: Home) -> None:
    home.folder.chmod(0o500)
    try:
        assert checks(home.run("doctor", "--json"), "folders")[0]["health"] == "fail"
    finally:
        home.folder.chmod(0o700)


def test_a_file_in_a_folder_s_place_is_told(home: Home) -> None:
    (home.folder / "models").write_text("")

    folders = checks(home.run("doctor", "--json"), "folders")

    assert folders[0]["health"] == "fail"
    assert "RINGFENCE_MODELS" in folders[0]["remedy"]
