"""The line document against a plain string that is edited naively."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.context.document import (
    DocumentSnapshot,
    LineDocument,
    Position,
    position_to_units,
    split_lines,
)
from ringfence.context.position_encoding import PositionEncoding

ENCODINGS = list(PositionEncoding)
_ALPHABET = "ab \n\r\t\f\v\x1c\x85\u2028éß漢😀\U0001d11e"
_TEXT = st.text(alphabet=_ALPHABET, max_size=24)
_COORDINATE = st.integers(min_value=-1, max_value=12)
_CHANGE = st.tuples(_COORDINATE, _COORDINATE, _COORDINATE, _COORDINATE, _TEXT)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    index = 0
    while index < len(text):
        if text[index] == "\r" and text[index + 1 : index + 2] == "\n":
            index += 1
        if text[index] in "\r\n":
            starts.append(index + 1)
        index += 1
    return starts


def _width(character: str, encoding: PositionEncoding) -> int:
    match encoding:
        case PositionEncoding.UTF8:
            return len(character.encode())
        case PositionEncoding.UTF16:
            return 2 if ord(character) > 0xFFFF else 1
        case _:
            return 1


def _offset(text: str, line: int, units: int, encoding: PositionEncoding) -> int:
    starts = _line_starts(text)
    if line < 0:
        return 0
    if line >= len(starts):
        return len(text)
    offset = starts[line]
    while offset < len(text) and text[offset] not in "\r\n":
        units -= _width(text[offset], encoding)
        if units < 0:
            break
        offset += 1
    return offset


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=_TEXT, changes=st.lists(_CHANGE, max_size=8))
def test_changes_match_a_plain_string_edited_naively(
    encoding: PositionEncoding, text: str, changes: list[tuple[int, int, int, int, str]]
) -> None:
    document = LineDocument("file:///a", text)
    model = text
    for start_line, start_units, end_line, end_units, inserted in changes:
        one = _offset(model, start_line, start_units, encoding)
        other = _offset(model, end_line, end_units, encoding)
        document.replace(
            document.position(start_line, start_units, encoding),
            document.position(end_line, end_units, encoding),
            inserted,
        )
        model = model[: min(one, other)] + inserted + model[max(one, other) :]
        assert document.snapshot().text == model
        assert list(document.snapshot().lines) == split_lines(model)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=_TEXT, line=_COORDINATE, units=_COORDINATE)
def test_a_position_survives_the_way_to_code_points_and_back(
    encoding: PositionEncoding, text: str, line: int, units: int
) -> None:
    document = LineDocument("file:///a", text)
    place = document.position(line, units, encoding)
    there = position_to_units(document.snapshot().lines, place, encoding)
    assert document.position(*there, encoding) == place


@given(text=_TEXT, line=_COORDINATE, units=_COORDINATE)
def test_before_and_after_a_position_make_the_whole(text: str, line: int, units: int) -> None:
    snapshot = LineDocument("file:///a", text).snapshot()
    place = Position(line, units)
    assert snapshot.before(place) + snapshot.after(place) == text


@pytest.mark.parametrize("separator", ["\f", "\v", "\x1c", "\x1d", "\x85", "\u2028", "\u2029"])
def test_only_the_line_endings_of_lsp_split_lines(separator: str) -> None:
    text = f"one{separator}two\nthree"
    assert split_lines(text) == [f"one{separator}two\n", "three"]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", [""]),
        ("a", ["a"]),
        ("a\n", ["a\n", ""]),
        ("a\r\nb\rc\n", ["a\r\n", "b\r", "c\n", ""]),
        ("\n\r\n\r", ["\n", "\r\n", "\r", ""]),
    ],
)
def test_the_last_line_never_has_an_ending(text: str, lines: list[str]) -> None:
    assert split_lines(text) == lines


def test_a_column_past_an_unterminated_last_line_means_its_end() -> None:
    document = LineDocument("file:///a", "abc")
    end = document.position(0, 99, PositionEncoding.UTF16)
    document.replace(end, end, "!")
    assert document.snapshot().text == "abc!"


def test_a_column_past_the_end_stays_before_the_line_ending() -> None:
    document = LineDocument("file:///a", "abc\r\ndef")
    end = document.position(0, 99, PositionEncoding.UTF16)
    document.replace(end, end, "!")
    assert document.snapshot().text == "abc!\r\ndef"


def test_a_column_inside_a_surrogate_pair_means_its_start() -> None:
    document = LineDocument("file:///a", "😀")
    assert document.position(0, 1, PositionEncoding.UTF16) == (0, 0)
    assert document.position(0, 2, PositionEncoding.UTF16) == (0, 1)


def test_half_surrogates_become_replacement_characters() -> None:
    document = LineDocument("file:///a", "a\ud83d")
    document.replace(Position(0, 0), Position(0, 0), "\ude00")
    assert document.snapshot().text == "\ufffda\ufffd"


def test_a_snapshot_does_not_change_with_its_document() -> None:
    document = LineDocument("file:///a", "one\ntwo", version=1, language="python")
    before = document.snapshot()
    document.replace(Position(0, 0), Position(1, 3), "gone")
    document.version = 2
    assert before == DocumentSnapshot("file:///a", 1, "python", ("one\n", "two"))
    assert document.snapshot() == DocumentSnapshot("file:///a", 2, "python", ("gone",))


def test_a_snapshot_is_shared_until_the_next_change() -> None:
    document = LineDocument("file:///a", "one", version=1)
    assert document.snapshot() is document.snapshot()
    document.version = 2
    assert document.snapshot().version == 2


def test_line_at_drops_the_ending_and_is_empty_outside() -> None:
    snapshot = LineDocument("file:///a", "one\r\ntwo").snapshot()
    assert [snapshot.line_at(line) for line in (-1, 0, 1, 2)] == ["", "one", "two", ""]


def test_set_text_replaces_everything() -> None:
    document = LineDocument("file:///a", "one\ntwo")
    document.set_text("new\n")
    assert document.snapshot().lines == ("new\n", "")
    assert len(document) == 2
