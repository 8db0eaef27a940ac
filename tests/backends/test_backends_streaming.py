"""Every kind streams its answer, and takes nothing else for one."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from ringfence.backends.errors import (
    InvalidAnswer,
    Overloaded,
)
from ringfence.backends.values import FinishReason, TextDelta
from tests.fakes import Script

from .asking import Kind, ask, end_of, take, text_of, usual


async def test_text_comes_in_pieces_and_then_one_end(kind: Kind) -> None:
    async with kind.fake() as fake:
        backend = kind.at(fake)
        events = await ask(backend, await usual(kind, backend))
        await backend.aclose()

    assert text_of(events) == "return a + b"
    assert len(events) == 5
    assert end_of(events).reason is FinishReason.STOP
    assert (end_of(events).usage.prompt_tokens or 0) > 0


@pytest.mark.parametrize("split", [1, 2, 3, 7, 64])
async def test_pieces_may_be_cut_anywhere(kind: Kind, split: int) -> None:
    text = ["naïve ", "größe\u2028", "\u0085 日本", '"\\\n', "🦀 end"]
    async with kind.fake() as fake:
        fake.script(Script(pieces=text, split=split, crlf=True, pings=True))
        backend = kind.at(fake)
        events = await ask(backend, await usual(kind, backend))
        await backend.aclose()

    assert text_of(events) == "".join(text)


async def test_an_answer_that_reached_its_limit_says_so(kind: Kind) -> None:
    async with kind.fake() as fake:
        fake.script(Script(finish="length"))
        backend = kind.at(fake)
        events = await ask(backend, await usual(kind, backend))
        await backend.aclose()

    assert end_of(events).reason is FinishReason.LENGTH


async def test_an_answer_without_its_end_is_cut_short(kind: Kind) -> None:
    async with kind.fake() as fake:
        fake.script(Script(leave_out_end=True))
        backend = kind.at(fake)
        with pytest.raises(InvalidAnswer, match="cut short"):
            await ask(backend, await usual(kind, backend))
        await backend.aclose()


async def test_a_connection_that_breaks_is_no_end(kind: Kind) -> None:
    async with kind.fake() as fake:
        fake.script(Script(cut_after=2))
        backend = kind.at(fake)
        with pytest.raises(InvalidAnswer, match="broke off"):
            await ask(backend, await usual(kind, backend))
        await backend.aclose()


async def test_an_error_in_mid_stream_is_a_failure(kind: Kind) -> None:
    async with kind.fake() as fake:
        fake.script(Script(error_after=1))
        backend = kind.at(fake)
        async with aclosing(backend.generate(await usual(kind, backend))) as events:
            received = await take(events, 1)
            with pytest.raises((InvalidAnswer, Overloaded)):
                await take(events, 1)
        await backend.aclose()

    assert received == [TextDelta("return")]


async def test_junk_in_the_stream_is_an_invalid_answer(kind: Kind) -> None:
    for raw in (b"data: {nonsense}\n\n", b"[1]\n", b"data: [1]\n\n", b"data: " + b"[" * 99_999):
        async with kind.fake() as fake:
            fake.script(Script(raw=raw + b"\n\n"))
            backend = kind.at(fake)
            with pytest.raises(InvalidAnswer):
                await ask(backend, await usual(kind, backend))
            await backend.aclose()


async def test_objects_of_an_unknown_shape_are_an_invalid_answer(kind: Kind) -> None:
    shapes = ('{"choices": 3}', '{"choices": [null, {"delta": 7, "text": []}]}', '{"message": 1}')
    for shape in shapes:
        async with kind.fake() as fake:
            lines = shape if kind.name == "ollama" else f"data: {shape}\n"
            fake.script(Script(raw=f"{lines}\n".encode()))
            backend = kind.at(fake)
            with pytest.raises(InvalidAnswer):
                await ask(backend, await usual(kind, backend))
            await backend.aclose()
