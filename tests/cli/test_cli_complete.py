"""``ringfence complete``, through a real language server and a fake model server."""

from pathlib import Path

import pytest

from ringfence.cli.completing import language_of
from tests.cli.conftest import Home
from tests.cli.fake_process import fake_server

CODE = 'def add(a, b):\n    """é😀"""; \n\n\nprint(add(1, 2))\n'


@pytest.fixture
def code(home: Home) -> Path:
    file = home.folder / "code.py"
    file.write_text(CODE, encoding="utf-8")
    return file


def configure(home: Home, url: str) -> None:
    home.config.write_text(
        f"backends:\n  - {{name: laptop, kind: llamacpp, url: '{url}', zone: device}}\n"
        "engine: {enabled: false}\n"
    )


def test_the_completion_is_printed_and_where_it_was_computed(home: Home, code: Path) -> None:
    with fake_server("llamacpp", "--text", "return a + b") as url:
        configure(home, url)

        plain = home.run("complete", f"{code}:2:15")
        as_json = home.run("complete", f"{code}:2:15", "--json")

    assert (plain.code, plain.out) == (0, "return a + b\n")
    assert "laptop, on this device" in plain.err
    result = as_json.json
    assert result["text"] == "return a + b"
    assert result["range"]["end"] == {"line": 2, "column": 15}
    assert (result["backend"], result["zone"]) == ("laptop", "device")
    assert result["quantization"] == "Q4_K_M"
    assert result["total_ms"] > 0


def test_an_empty_answer_has_its_reason_and_exit_code_1(home: Home, code: Path) -> None:
    configure(home, "http://127.0.0.1:9")

    plain = home.run("complete", f"{code}:2:15")
    as_json = home.run("complete", f"{code}:2:15", "--json")

    assert (plain.code, plain.out) == (1, "")
    assert "laptop" in plain.err
    error = as_json.json["error"]
    assert as_json.code == 1
    assert error["code"] == error["reason"]
    assert error["reason"] in {"unreachable", "no-route"}


def test_a_file_that_is_never_sent_is_refused(home: Home) -> None:
    secret = home.folder / ".env"
    secret.write_text("KEY=\n")
    with fake_server("llamacpp") as url:
        configure(home, url)

        done = home.run("complete", f"{secret}:1:5", "--json")

    assert done.code == 1
    assert done.json["error"]["reason"] == "excluded"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("code.py", "is no place"),
        ("code.py:1", "is no place"),
        ("code.py:0:1", "is no place"),
        ("code.py:x:1", "is no place"),
        ("code.py:99:1", "has 6 lines, not 99"),
        ("code.py:1:99", "the last column is 15"),
        ("none.py:1:1", "none.py cannot be read: no such file"),
        (".:1:1", "cannot be read"),
    ],
)
def test_a_place_that_is_none_is_wrong_use(
    home: Home, code: Path, monkeypatch: pytest.MonkeyPatch, place: str, words: str
) -> None:
    monkeypatch.chdir(code.parent)

    done = home.run("complete", place)

    assert done.code == 2
    assert words in done.err


def test_a_file_that_is_no_text_is_refused(home: Home) -> None:
    file = home.folder / "picture.py"
    file.write_bytes(b"\xff\xd8\xff")

    done = home.run("complete", f"{file}:1:1")

    assert done.code == 1
    assert "is not UTF-8 text" in done.err


@pytest.mark.parametrize(
    ("name", "language"), [("a.py", "python"), ("a.TSX", "typescriptreact"), ("a.xyz", "plaintext")]
)
def test_languages_are_known_by_the_name(name: str, language: str) -> None:
    assert language_of(Path(name)) == language
