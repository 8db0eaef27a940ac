"""What all commands have in common: help, JSON, exit codes, broken pipes, quiet start."""

import json
import os
import signal
import subprocess
import sys

import pytest

import ringfence
from ringfence.cli.run import COMMANDS
from tests.cli.conftest import Home

LEAVES = [
    *(name for name in COMMANDS if name not in ("config", "models")),
    *(f"config {name}" for name in ("show", "check", "path", "schema")),
    *(f"models {name}" for name in ("list", "pull", "remove")),
]


@pytest.mark.parametrize("command", LEAVES)
def test_every_command_has_help_with_an_example_and_json(home: Home, command: str) -> None:
    done = home.run(*command.split(), "--help")

    assert done.code == 0
    assert "Example" in done.out
    assert f"ringfence {command}" in done.out
    assert "--json" in done.out


def test_the_help_lists_every_command_and_the_exit_codes(home: Home) -> None:
    done = home.run("--help")

    assert all(f"\n  {name} " in done.out for name in COMMANDS)
    assert "0 done, 1 refused or nothing found, 2 wrong use" in done.out


def test_the_version_is_told(home: Home) -> None:
    assert home.run("--version").out == f"ringfence {ringfence.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["config", "nonsense"],
        ["config", "check", "--nonsense"],
        ["complete"],
        ["complete", "nowhere"],
        ["audit", "--last", "-1"],
        ["serve", "--tcp", "nowhere"],
        ["serve", "--tcp", "127.0.0.1:0", "--ws"],
        ["serve", "--log-level", "loud"],
    ],
)
def test_wrong_use_is_one_sentence_and_exit_code_2(home: Home, arguments: list[str]) -> None:
    plain = home.run(*arguments)
    as_json = home.run(*arguments, "--json")

    assert (plain.code, plain.out) == (2, "")
    assert plain.err.startswith("ringfence: ")
    assert plain.err.count("\n") == 1
    assert as_json.code == 2
    assert as_json.json["error"]["code"] == "usage"
    assert as_json.json["error"]["message"] in plain.err
    assert as_json.err == ""


def test_no_command_at_all_shows_the_help_as_wrong_use(home: Home) -> None:
    plain, as_json = home.run(), home.run("--json")

    assert (plain.code, plain.out) == (2, "")
    assert "Commands:" in plain.err
    assert as_json.code == 2
    assert as_json.json["error"]["code"] == "usage"


def test_json_may_stand_before_the_command(home: Home) -> None:
    assert home.run("--json", "config", "path").json["path"] == str(home.config)


def test_an_internal_error_is_a_sentence_without_a_traceback(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("the text of somebody's file")

    monkeypatch.setattr("ringfence.config.locate.find_directories", broken)
    monkeypatch.delenv("RINGFENCE_DEBUG", raising=False)

    done = home.run("config", "path")

    assert done.code == 1
    assert "RuntimeError" in done.err
    assert "somebody" not in done.err
    assert done.err.count("\n") == 1


def test_the_same_through_the_module_and_its_exit_code(home: Home) -> None:
    done = home.process("config", "check", "--json")

    assert done.code == 0
    assert done.json["valid"]
    assert home.process("nonsense").code == 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no broken pipes")
def test_a_reader_that_goes_away_ends_the_command_quietly(home: Home) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    process = subprocess.run(
        [sys.executable, "-m", "ringfence", "config", "schema"],
        stdout=writing,
        stderr=subprocess.PIPE,
        env=dict(home.all_variables()),
        check=False,
    )
    os.close(writing)

    assert process.returncode == 1
    assert process.stderr == b""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT between processes")
def test_an_interrupted_command_ends_quietly(home: Home) -> None:
    process = home.start("serve", "--tcp", "127.0.0.1:0", "--json")
    assert process.stdout is not None
    assert "listening" in json.loads(process.stdout.readline())

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)

    assert process.returncode in (0, 130)
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("variables", "styled"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)],
)
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_style_is_for_terminals_that_want_it(
    home: Home, variables: dict[str, str], styled: bool
) -> None:
    import pty

    controller, terminal = pty.openpty()
    environment = {**home.all_variables(), "TERM": "xterm", **variables}
    environment.pop("NO_COLOR", None) if "NO_COLOR" not in variables else None
    subprocess.run(
        [sys.executable, "-m", "ringfence", "models"],
        stdout=terminal,
        stderr=subprocess.DEVNULL,
        env=environment,
        check=True,
    )
    os.close(terminal)
    shown = os.read(controller, 65536)
    os.close(controller)

    assert (b"\x1b[1m" in shown) is styled
    assert b"qwen2.5-coder" in shown


def test_serving_editors_loads_no_other_command_and_nothing_slow(home: Home) -> None:
    code = (
        "import sys\n"
        "from ringfence.cli.serving import serve_over_stdio\n"
        "slow = {'typer', 'rich', 'pydantic', 'yaml', 'httpx2', 'ringfence.application'}\n"
        "own = {n for n in sys.modules if n.startswith('ringfence.cli.')}\n"
        "print(sorted(slow & set(sys.modules)), sorted(own))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[] ['ringfence.cli.serving']"


@pytest.mark.parametrize("arguments", [["serve"], ["serve", "--stdio"]])
def test_what_editors_start_skips_the_reading_of_options(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    from ringfence.cli import main, serving

    monkeypatch.setattr(sys, "argv", ["ringfence", *arguments])
    monkeypatch.setattr(serving, "serve_over_stdio", lambda: 7)

    with pytest.raises(SystemExit) as ended:
        main()

    assert ended.value.code == 7
