"""Streams are the same events however the network cuts them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.backends._lines import LONGEST_LINE, LineSplitter, LineTooLong
from ringfence.backends._sse import SseParser

#: What stands in code and in events, line ends of every kind included.
TEXT = st.text(st.sampled_from('ab \t"\\{}:,\u2028\u2029\u0085\x0b\x0c\x1céß日🦀\n\r'), max_size=30)
OBJECTS = st.lists(st.dictionaries(st.sampled_from(["text", "data"]), TEXT), max_size=6)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut ``data`` at ``places``."""
    ends = sorted({place % (len(data) + 1) for place in places} | {len(data)})
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


CUTS = st.lists(st.integers(0, 10_000), max_size=40)


def dumped(content: object) -> str:
    return json.dumps(content, ensure_ascii=False)


@given(OBJECTS, CUTS, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_events_are_the_same_wherever_they_are_cut(
    objects: list[dict[str, str]], places: list[int], ending: str, ping: bool
) -> None:
    noise = f": ping{ending}{ending}" if ping else ""
    lines = [f"{noise}event: x{ending}data: {dumped(o)}{ending}{ending}" for o in objects]
    parser = SseParser()

    events = [
        event for chunk in cut("".join(lines).encode(), places) for event in parser.feed(chunk)
    ] + parser.end()

    assert [json.loads(event) for event in events] == objects


@given(OBJECTS, CUTS, st.sampled_from(["\n", "\r\n"]))
def test_json_lines_are_the_same_wherever_they_are_cut(
    objects: list[dict[str, str]], places: list[int], ending: str
) -> None:
    data = "".join(f"{dumped(o)}{ending}" for o in objects).encode()
    splitter = LineSplitter(carriage_return=False)

    lines = [line for chunk in cut(data, places) for line in splitter.feed(chunk)]

    assert [json.loads(line) for line in lines] == objects
    assert splitter.rest() == b""


@given(st.binary(max_size=200), CUTS)
def test_any_bytes_give_the_same_events_wherever_they_are_cut(
    data: bytes, places: list[int]
) -> None:
    whole, pieces = SseParser(), SseParser()

    expected = whole.feed(data) + whole.end()
    events = [event for chunk in cut(data, places) for event in pieces.feed(chunk)]

    assert events + pieces.end() == expected


def test_data_of_several_lines_is_one_event() -> None:
    assert SseParser().feed(b"data: a\ndata: b\ndata\nretry: 3\n\n") == [b"a\nb"]


def test_a_byte_order_mark_at_the_start_is_passed_over() -> None:
    assert SseParser().feed(b"\xef\xbb\xbfdata: a\n\n") == [b"a"]


def test_only_the_first_space_after_the_colon_is_left_out() -> None:
    assert SseParser().feed(b"data:  a\n\ndata:b\n\n") == [b" a", b"b"]


def test_a_last_event_without_an_empty_line_counts() -> None:
    parser = SseParser()

    assert parser.feed(b"data: a\n\ndata: b") == [b"a"]
    assert parser.end() == [b"b"]


def test_a_line_without_end_is_refused() -> None:
    splitter = LineSplitter(carriage_return=True)
    piece = b"x" * (LONGEST_LINE // 4)

    for _ in range(4):
        splitter.feed(piece)

    with pytest.raises(LineTooLong):
        splitter.feed(piece)
