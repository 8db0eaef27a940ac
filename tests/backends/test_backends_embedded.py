"""The embedded engine as a backend: started when needed, found again when it has gone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from ringfence.backends.embedded import Embedded
from ringfence.backends.errors import ModelMissing, Overloaded, Unreachable
from ringfence.engine.catalogue import find
from ringfence.engine.client import ModelChoice, RunningEngine
from ringfence.engine.errors import EngineError, EngineFailed, EngineNotReady
from ringfence.engine.store import InstalledModel
from ringfence.privacy import Fragment, Gate, Zone
from tests.fakes import FakeLlamaCpp, Script

from .asking import ask, generation, hole, source, text_of

CARD = find("qwen2.5-coder:0.5b")


class ScriptedEngine:
    """An engine whose server is a fake, which another can take the place of."""

    def __init__(self, fake: FakeLlamaCpp | None = None) -> None:
        self.fake = fake
        self.starts = 0
        self.released = False
        self.installed = True
        self.fails: EngineError | None = None
        self.ready = asyncio.Event()
        self.ready.set()

    async def ensure_started(self) -> RunningEngine:
        self.starts += 1
        await self.ready.wait()
        if self.fails is not None:
            raise self.fails
        assert self.fake is not None
        key = self.fake.api_key or ""
        return RunningEngine(self.fake.url, key, CARD, 4096, 1)

    async def choose_model(self) -> ModelChoice:
        installed = cast("InstalledModel", Path("model.gguf")) if self.installed else None
        return ModelChoice(CARD, installed, "test")

    async def release(self) -> None:
        self.released = True


async def test_the_model_is_known_before_anything_is_started() -> None:
    engine = ScriptedEngine()
    backend = Embedded(Gate(), engine)

    (model,) = await backend.models()
    await backend.probe()

    assert (model.id, model.backend, model.zone) == (CARD.id, "engine", Zone.DEVICE)
    assert model.fim is not None
    assert engine.starts == 0


async def test_the_first_request_starts_the_engine_and_the_next_finds_it() -> None:
    async with FakeLlamaCpp(api_key="key-of-this-start") as fake:
        engine = ScriptedEngine(fake)
        backend = Embedded(Gate(), engine)
        (model,) = await backend.models()
        for _ in range(3):
            assert text_of(await ask(backend, generation(model))) == "return a + b"

        assert engine.starts == 1
        assert (await backend.models())[0].context == 4096
        assert fake.generations[0].json["prompt"].startswith("<|fim_prefix|>")
        await backend.aclose()
        assert engine.released


async def test_an_engine_that_has_gone_is_found_again() -> None:
    async with FakeLlamaCpp() as first, FakeLlamaCpp() as second:
        engine = ScriptedEngine(first)
        backend = Embedded(Gate(), engine)
        (model,) = await backend.models()
        await ask(backend, generation(model))
        await first.stop()
        engine.fake = second
        answers = await asyncio.gather(*(ask(backend, generation(model)) for _ in range(4)))

        assert [text_of(answer) for answer in answers] == ["return a + b"] * 4
        assert engine.starts == 2
        await backend.aclose()


async def test_a_probe_finds_the_engine_again() -> None:
    async with FakeLlamaCpp() as first, FakeLlamaCpp() as second:
        engine = ScriptedEngine(first)
        backend = Embedded(Gate(), engine)
        await backend.warm((await backend.models())[0])
        await first.stop()
        engine.fake = second
        await backend.probe()
        await backend.probe()

        assert second.requests
        await backend.aclose()


async def test_an_engine_that_is_gone_for_good_is_unreachable() -> None:
    async with FakeLlamaCpp() as fake:
        engine = ScriptedEngine(fake)
        backend = Embedded(Gate(), engine)
        (model,) = await backend.models()
        await ask(backend, generation(model))
        engine.fails = EngineFailed("the engine failed: no memory")
        await fake.stop()
        with pytest.raises(Unreachable, match=r"^The engine failed: no memory\.$"):
            await ask(backend, generation(model))
        await backend.aclose()


async def test_nothing_is_started_again_after_the_first_piece() -> None:
    async with FakeLlamaCpp() as fake:
        engine = ScriptedEngine(fake)
        backend = Embedded(Gate(), engine)
        (model,) = await backend.models()
        fake.script(Script(cut_after=1))
        with pytest.raises(Exception, match="broke off"):
            await ask(backend, generation(model))

        assert engine.starts == 1
        await backend.aclose()


async def test_an_engine_that_loads_too_long_is_busy_and_goes_on_loading() -> None:
    async with FakeLlamaCpp() as fake:
        engine = ScriptedEngine(fake)
        engine.ready.clear()
        backend = Embedded(Gate(), engine)
        (model,) = await backend.models()
        with pytest.raises(Overloaded, match="still loading"):
            await ask(backend, generation(model, deadline=0.05))
        engine.ready.set()

        assert text_of(await ask(backend, generation(model))) == "return a + b"
        await backend.aclose()


async def test_a_missing_model_is_said_with_the_command_that_fetches_it() -> None:
    engine = ScriptedEngine()
    engine.installed = False
    backend = Embedded(Gate(), engine)

    with pytest.raises(ModelMissing, match=r"ringfence models pull qwen2\.5-coder:0\.5b"):
        await backend.models()


async def test_an_engine_that_is_not_ready_is_busy() -> None:
    engine = ScriptedEngine()
    engine.fails = EngineNotReady("it is still loading")
    backend = Embedded(Gate(), engine)
    (model,) = await backend.models()

    with pytest.raises(Overloaded):
        await ask(backend, generation(model))


async def test_tokens_are_counted_only_by_an_engine_that_runs() -> None:
    text = Fragment("x" * 40, source())
    async with FakeLlamaCpp() as fake:
        backend = Embedded(Gate(), ScriptedEngine(fake))
        (model,) = await backend.models()
        assert await backend.count_tokens(model, text) is None
        await ask(backend, generation(model, hole()))
        assert await backend.count_tokens(model, text) == 10
        await backend.aclose()
