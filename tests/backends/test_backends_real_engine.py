"""The embedded engine's backend with a real code model: what holds for any sane model."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest

from ringfence.backends.embedded import Embedded
from ringfence.backends.errors import ContextOverflow
from ringfence.config.settings import EngineSettings
from ringfence.engine.client import Engine
from ringfence.engine.directories import EngineDirectories
from ringfence.engine.store import InstalledModel
from ringfence.privacy import Gate, Zone

from .asking import ask, chat, end_of, generation, hole, take, text_of

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

PREFIX = "def add(a, b):\n    "
SUFFIX = "\n\n\nprint(add(1, 2))\n"


@pytest.fixture
async def backend(real_model: InstalledModel, tmp_path: Path) -> AsyncIterator[Embedded]:
    """The embedded engine with the real model, on one thread."""
    settings = EngineSettings(model=real_model.card.id, threads=1, context=1024, idle_seconds=0.3)
    gate = Gate(Zone.DEVICE)
    directories = EngineDirectories(real_model.path.parent, tmp_path)
    backend = Embedded(gate, Engine(settings, directories, gate))
    yield backend
    await backend.aclose()


async def test_holes_are_filled_streams_are_stopped_and_prompts_are_reused(
    backend: Embedded,
) -> None:
    (model,) = await backend.models()
    request = generation(model, hole(PREFIX, SUFFIX), max_tokens=12, deadline=120)
    first = await ask(backend, request)
    second = await ask(backend, request)
    async with aclosing(
        backend.generate(generation(model, hole("words = [", ""), max_tokens=800, deadline=120))
    ) as events:
        await take(events, 2)
    third = await ask(backend, request)

    # The first line is what a completion of one line keeps; a small model may run on.
    line = text_of(first).partition("\n")[0]
    ast.parse(PREFIX + line + SUFFIX)
    assert line.strip()
    assert (end_of(second).usage.cached_tokens or 0) > 0
    assert text_of(third)


async def test_the_servers_limits_are_told(backend: Embedded) -> None:
    (model,) = await backend.models()
    with pytest.raises(ContextOverflow) as overflow:
        await ask(backend, generation(model, hole("x = 1\n" * 2000, ""), deadline=120))
    schema = {
        "type": "object",
        "properties": {"ok": {"type": "boolean"}},
        "required": ["ok"],
        "additionalProperties": False,
    }
    events = await ask(
        backend, generation(model, chat("Is 1 < 2?"), schema=schema, max_tokens=30, deadline=120)
    )

    assert overflow.value.context == 1024
    assert (overflow.value.prompt_tokens or 0) > 1024
    assert text_of(events).strip().startswith("{")
