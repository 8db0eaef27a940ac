"""Every kind says what is wrong by its class, and tells no secrets."""

from __future__ import annotations

import pytest

from ringfence.backends.errors import (
    BackendError,
    InvalidAnswer,
    ModelMissing,
    Overloaded,
    Refused,
    Unreachable,
)
from ringfence.privacy import Endpoint, Gate
from tests.fakes import Script

from .asking import KEY, KINDS, Kind, a_model, ask, generation, text_of, usual


async def test_a_connection_that_breaks_before_the_answer_is_unreachable(kind: Kind) -> None:
    async with kind.fake() as fake:
        backend = kind.at(fake)
        request = await usual(kind, backend)
        await fake.stop()
        with pytest.raises(Unreachable):
            await ask(backend, request)
        await backend.aclose()


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
        bodies: list[object] = [{"choices": []}, {"error": "Unexpected endpoint."}, [], "<html>"]
        for body in bodies:
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


async def test_nothing_answers_at_a_dead_address(kind: Kind) -> None:
    async with kind.fake() as fake:
        url = fake.url
    backend = kind.backend(Gate(), Endpoint("laptop", url, kind.zone))
    with pytest.raises(Unreachable, match="laptop"):
        await backend.probe()
    await backend.aclose()
