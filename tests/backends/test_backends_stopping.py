"""Every kind stops what it began, in time, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
from contextlib import aclosing, suppress

import pytest

from ringfence.backends.errors import (
    DeadlineExceeded,
    Unreachable,
)
from tests.fakes import Script

from .asking import Kind, ask, take, text_of, usual


async def test_closing_the_stream_stops_the_generation(kind: Kind) -> None:
    async with kind.fake() as fake:
        fake.script(Script(hold_after=2))
        backend = kind.at(fake)
        async with aclosing(backend.generate(await usual(kind, backend))) as events:
            await take(events, 2)
        await fake.idle()

        assert fake.generations[-1].disconnected
        await backend.aclose()


@pytest.mark.parametrize("hold_after", [0, 2])
async def test_cancelling_stops_the_generation(kind: Kind, hold_after: int) -> None:
    async with kind.fake() as fake:
        fake.script(Script(hold_after=hold_after))
        backend = kind.at(fake)
        task = asyncio.create_task(ask(backend, await usual(kind, backend)))
        while not fake.generations:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await fake.idle()

        assert fake.generations[-1].disconnected
        await backend.aclose()


async def test_cancelling_before_the_answer_stops_the_generation(kind: Kind) -> None:
    async with kind.fake() as fake:
        fake.script(Script(delay=60))
        backend = kind.at(fake)
        task = asyncio.create_task(ask(backend, await usual(kind, backend)))
        while not fake.generations:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await fake.idle()

        assert fake.generations[-1].disconnected
        await backend.aclose()


async def test_the_deadline_ends_a_slow_answer(kind: Kind) -> None:
    async with kind.fake() as fake:
        fake.script(Script(hold_after=1), Script(delay=60))
        backend = kind.at(fake)
        request = await usual(kind, backend, deadline=0.1)
        for _ in range(2):
            with pytest.raises(DeadlineExceeded):
                await ask(backend, request)
        await fake.idle()

        assert all(generation.disconnected for generation in fake.generations)
        await backend.aclose()


async def test_the_deadline_never_cancels_what_the_reader_does_between_two_pieces(
    kind: Kind,
) -> None:
    async with kind.fake() as fake:
        fake.script(Script(hold_after=1))
        backend = kind.at(fake)
        request = await usual(kind, backend, deadline=0.1)
        async with aclosing(backend.generate(request)) as events:
            await take(events, 1)
            await asyncio.sleep(0.2)
            with pytest.raises(DeadlineExceeded):
                await take(events, 1)
        await backend.aclose()


async def test_connections_are_kept_for_the_next_request(kind: Kind) -> None:
    async with kind.fake() as fake:
        backend = kind.at(fake)
        request = await usual(kind, backend)
        await ask(backend, request)
        before = fake.accepted
        for _ in range(5):
            await ask(backend, request)

        assert fake.accepted == before
        await backend.aclose()


async def test_two_hundred_cancelled_requests_leave_nothing_behind(kind: Kind) -> None:
    async with kind.fake() as fake:
        backend = kind.at(fake)
        request = await usual(kind, backend)
        fake.always(Script(hold_after=1, piece_delay=0.001))

        async def cancelled(number: int) -> None:
            task = asyncio.create_task(ask(backend, request))
            await asyncio.sleep(0.002 * (number % 5))
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

        for start in range(0, 200, 20):
            await asyncio.gather(*(cancelled(number) for number in range(start, start + 20)))
        fake.always(Script())
        await fake.idle()
        events = await ask(backend, request)

        assert text_of(events) == "return a + b"
        assert fake.connections <= 1
        await backend.aclose()
        gc.collect()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        assert not [task for task in others if "backends" in repr(task)]


async def test_a_closed_backend_opens_nothing_again(kind: Kind) -> None:
    async with kind.fake() as fake:
        backend = kind.at(fake)
        await backend.aclose()
        with pytest.raises(Unreachable):
            await backend.probe()

    assert not fake.requests
