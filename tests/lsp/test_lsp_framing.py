"""Frames: any bytes, in any pieces, give messages or complaints and never an exception."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.lsp.framing import MAX_BODY, MAX_HEADER, Body, Frame, FrameParser, Malformed

_BODIES = st.lists(st.binary(max_size=40), max_size=6)
_LINE_ENDS = st.sampled_from([b"\r\n", b"\n"])
_NAMES = st.sampled_from([b"Content-Length", b"content-length", b"CONTENT-LENGTH"])


def _parse(data: bytes, *, strict: bool = False) -> list[Frame]:
    return list(FrameParser(strict=strict).feed(data))


@given(bodies=_BODIES, name=_NAMES, end=_LINE_ENDS, cuts=st.lists(st.integers(0, 400)))
def test_messages_arrive_whole_however_the_stream_is_cut(
    bodies: list[bytes], name: bytes, end: bytes, cuts: list[int]
) -> None:
    extra = b"Content-Type: application/vscode-jsonrpc; charset=utf-8" + end
    stream = b"".join(b"%b: %d%b%b%b%b" % (name, len(b), end, extra, end, b) for b in bodies)
    parser = FrameParser()
    places = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    pieces = [stream[a:b] for a, b in itertools.pairwise(places)]
    frames = [frame for piece in pieces for frame in parser.feed(piece)]
    assert frames == [Body(body) for body in bodies]
    assert parser.pending == 0


@given(data=st.binary(max_size=400), strict=st.booleans())
def test_arbitrary_bytes_never_raise(data: bytes, strict: bool) -> None:
    for frame in _parse(data, strict=strict):
        assert isinstance(frame, Body | Malformed)


@given(garbage=st.text(alphabet='abc {}":1,', min_size=1, max_size=60))
def test_a_good_message_after_a_garbage_line_is_found(garbage: str) -> None:
    stream = garbage.encode() + b"\r\n\r\n" + b"Content-Length: 2\r\n\r\n{}"
    *complaints, last = _parse(stream)
    assert last == Body(b"{}")
    assert all(isinstance(frame, Malformed) and not frame.fatal for frame in complaints)


def test_a_header_after_a_body_that_was_longer_than_it_said_is_found() -> None:
    stream = b'Content-Length: 2\r\n\r\n{"too": "long"}Content-Length: 2\r\n\r\n{}'
    frames = _parse(stream)
    assert frames == [Body(b'{"'), Body(b"{}")]


@pytest.mark.parametrize(
    "block",
    [
        b"Content-Length: -5",
        b"Content-Length: +5",
        b"Content-Length: 5x",
        b"Content-Length: 0x10",
        b"Content-Length: " + b"9" * 100,
        b"Content-Length:",
        b"Content-Length: 5\r\nContent-Length: 6",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8",
        b"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc; charset=utf-16",
        b"no header at all",
    ],
)
def test_a_broken_header_is_a_complaint_and_not_the_end(block: bytes) -> None:
    first, second = _parse(block + b"\r\n\r\n" + b"Content-Length: 2\r\n\r\n{}")
    assert isinstance(first, Malformed)
    assert not first.fatal
    assert second == Body(b"{}")


@pytest.mark.parametrize("charset", ["utf-8", "utf8", "UTF-8", '"utf-8"'])
def test_the_content_type_of_lsp_is_taken(charset: str) -> None:
    header = f"Content-Length: 2\r\nContent-Type: application/vscode-jsonrpc;charset={charset}"
    assert _parse(header.encode() + b"\r\n\r\n{}") == [Body(b"{}")]


@pytest.mark.parametrize("length", [MAX_BODY + 1, 10**17])
def test_a_length_beyond_all_measure_is_the_end(length: int) -> None:
    parser = FrameParser()
    (frame,) = parser.feed(b"Content-Length: %d\r\n\r\n" % length)
    assert isinstance(frame, Malformed)
    assert frame.fatal
    assert list(parser.feed(b"Content-Length: 2\r\n\r\n{}")) == []


def test_a_header_that_never_ends_is_the_end() -> None:
    parser = FrameParser()
    frames = [frame for _ in range(20) for frame in parser.feed(b"x" * 1000)]
    assert [isinstance(frame, Malformed) and frame.fatal for frame in frames] == [True]
    assert parser.pending <= MAX_HEADER


def test_an_empty_body_is_a_message() -> None:
    assert _parse(b"Content-Length: 0\r\n\r\n") == [Body(b"")]


def test_a_truncated_message_stays_pending() -> None:
    parser = FrameParser()
    assert list(parser.feed(b"Content-Length: 10\r\n\r\n{}")) == []
    assert parser.pending == 2


def test_a_web_page_that_posts_to_a_socket_is_cut_off() -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"initialize"}'
    post = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    (frame,) = _parse(post, strict=True)
    assert isinstance(frame, Malformed)
    assert frame.fatal
