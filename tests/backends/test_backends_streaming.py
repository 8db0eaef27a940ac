"""What every kind of backend does alike: stream, stop, and fail by class."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from contextlib import aclosing, suppress

import pytest

from ringfence.backends.errors import (
    BackendError,
    DeadlineExceeded,
    InvalidAnswer,
    ModelMissing,
    Overloaded,
    Refused,
    Unreachable,
)
from ringfence.backends.values import FinishReason, TextDelta
from ringfence.privacy import Endpoint, Gate
from tests.fakes import Script

from .asking import KEY, KINDS, Kind, a_model, ask, end_of, generation, take, text_of, usual


@pytest.fixture(params=KINDS.values(), ids=str)
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    yield request.param


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


async def test_a_connection_that_breaks_before_the_answer_is_unreachable(kind: Kind) -> None:
    async with kind.fake() as fake:
        backend = kind.at(fake)
        request = await usual(kind, backend)
        await fake.stop()
        with pytest.raises(Unreachable):
            await ask(backend, request)
        await backend.aclose()


async def test_an_error_in_mid_stream_is_a_failure(kind: Kind) -> None:
    async with kind.fake() as fake:
        fake.script(Script(error_after=1))
        backend = kind.at(fake)
        received = []
        with pytest.raises((InvalidAnswer, Overloaded)):  # noqa: PT012
            async with aclosing(backend.generate(await usual(kind, backend))) as events:
                async for event in events:
                    received.append(event)
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


async def test_a_missing_model_is_named(kind: Kind) -> None:
    if kind.name in ("llamacpp", "lmstudio"):
        # They serve what they have, whatever the name; see their own tests.
        return
    async with kind.fake() as fake:
        backend = kind.at(fake)
        request = await usual(kind, backend)
        missing = generation(a_model("no-such-model"), request.prompt)
        with pytest.raises(ModelMissing, match="no-such-model"):
            await ask(backend, missing)
        await backend.aclose()


async def test_a_wrong_key_is_refused_and_never_repeated(kind: Kind) -> None:
    if kind.name == "ollama":
        # Ollama has no keys of its own; a proxy before it may answer 401 as any other does.
        return
    async with kind.fake(api_key="another") as fake:
        backend = kind.at(fake, key=KEY)
        with pytest.raises(Refused, match="api_key") as refused:
            await backend.models()
        await backend.aclose()

    assert KEY not in f"{refused.value!r} {refused.value} {backend!r} {vars(refused.value)}"


async def test_the_key_is_sent(kind: Kind) -> None:
    async with kind.fake(api_key=KEY) as fake:
        backend = kind.at(fake, key=KEY)
        assert text_of(await ask(backend, await usual(kind, backend))) == "return a + b"
        await backend.aclose()


@pytest.mark.parametrize("key", ["schlüssel", "two\nlines"])
async def test_a_key_that_cannot_be_sent_is_refused_without_repeating_it(
    kind: Kind, key: str
) -> None:
    async with kind.fake() as fake:
        backend = kind.at(fake, key=key)
        with pytest.raises(Refused) as refused:
            await backend.models()
        await backend.aclose()

    assert key not in str(refused.value)


async def test_busy_servers_say_when_to_come_back(kind: Kind) -> None:
    async with kind.fake() as fake:
        fake.script(Script(status=429, body={}, headers={"retry-after": "7"}))
        backend = kind.at(fake)
        with pytest.raises(Overloaded) as overloaded:
            await ask(backend, await usual(kind, backend))
        await backend.aclose()

    assert overloaded.value.retry_after == 7


async def test_an_answer_that_is_no_stream_is_invalid(kind: Kind) -> None:
    async with kind.fake() as fake:
        backend = kind.at(fake)
        request = await usual(kind, backend)
        for body in ({"choices": []}, {"error": "Unexpected endpoint or method."}, [], "<html>"):
            fake.script(Script(body=body))
            with pytest.raises(InvalidAnswer):
                await ask(backend, request)
        await backend.aclose()


async def test_a_probe_generates_nothing(kind: Kind) -> None:
    async with kind.fake() as fake:
        backend = kind.at(fake)
        await backend.probe()

        assert fake.requests
        assert not fake.generations
        await backend.aclose()


async def test_a_probe_believes_no_other_server(kind: Kind) -> None:
    """LM Studio answers 200 to any path; only kinds that share a list of models agree."""
    kin = {"openai", "vllm", "mistral", "anthropic", "lmstudio"}
    for other in KINDS.values():
        if other is kind or (
            kind.name in kin - {"lmstudio"} and other.name in {*kin, "ollama", "llamacpp"}
        ):
            continue
        async with other.fake() as fake:
            backend = kind.at(fake)
            with pytest.raises(BackendError):
                await backend.probe()
            await backend.aclose()


async def test_a_closed_backend_opens_nothing_again(kind: Kind) -> None:
    async with kind.fake() as fake:
        backend = kind.at(fake)
        await backend.aclose()
        with pytest.raises(Unreachable):
            await backend.probe()

    assert not fake.requests


async def test_nothing_answers_at_a_dead_address(kind: Kind) -> None:
    async with kind.fake() as fake:
        url = fake.url
    backend = kind.backend(Gate(), Endpoint("laptop", url, kind.zone))
    with pytest.raises(Unreachable, match="laptop"):
        await backend.probe()
    await backend.aclose()
