"""The engine with a real code model: what holds for any sane model, not one model's words."""

import ast
import asyncio
import contextlib
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from ringfence.engine.client import RunningEngine
from ringfence.engine.store import InstalledModel
from ringfence.privacy import MANIFEST, Endpoint, Gate, Manifest, Zone
from tests.engine.conftest import MakeEngine
from tests.engine.waiting import gone, unowned, until

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

PREFIX = "def add(a, b):\n    return "
SUFFIX = "\n\n\nprint(add(1, 2))\n"

HOLD_AN_ENGINE = """
import asyncio, sys
from pathlib import Path
from ringfence.config.settings import EngineSettings
from ringfence.engine.client import Engine
from ringfence.engine.directories import EngineDirectories
from ringfence.privacy import Gate

async def main():
    settings = EngineSettings(model=sys.argv[1], threads=1, context=1024, idle_seconds=0.3)
    engine = Engine(settings, EngineDirectories(Path(sys.argv[2]), Path(sys.argv[3])), Gate())
    running = await engine.ensure_started()
    print(running.pid, flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


@pytest.fixture
async def running(make_engine: MakeEngine, real_model: InstalledModel) -> RunningEngine:
    """An engine with the real model, on one thread."""
    engine = make_engine(real_model.path.parent, model=real_model.card.id)
    return await engine.ensure_started()


def client(running: RunningEngine) -> httpx2.AsyncClient:
    """A client of the engine that sends its key."""
    made = Gate(Zone.DEVICE).client(Endpoint("engine", running.url, Zone.DEVICE))
    made.headers["Authorization"] = f"Bearer {running.api_key}"
    return made


def extensions() -> dict[str, Any]:
    return {MANIFEST: Manifest(None, purpose="test", backend="engine")}


def fill_in(prefix: str, suffix: str, max_tokens: int, **more: object) -> dict[str, object]:
    prompt = f"<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>"
    return {"prompt": prompt, "max_tokens": max_tokens, "temperature": 0, **more}


async def complete(running: RunningEngine, max_tokens: int = 12) -> dict[str, Any]:
    async with client(running) as http:
        body = fill_in(PREFIX, SUFFIX, max_tokens)
        answer = await http.post("/v1/completions", json=body, extensions=extensions())
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


async def test_a_completion_joins_prefix_and_suffix_into_code_that_parses(
    running: RunningEngine,
) -> None:
    answer = await complete(running)

    first_line = answer["choices"][0]["text"].split("\n")[0]
    assert first_line.strip()
    ast.parse(PREFIX + first_line + SUFFIX)


async def test_a_second_request_reuses_the_prompt(running: RunningEngine) -> None:
    first = await complete(running, max_tokens=1)
    second = await complete(running, max_tokens=1)

    read_anew = second["timings"]["prompt_n"]
    assert read_anew < first["timings"]["prompt_n"]
    assert second["timings"]["cache_n"] > 0


async def test_a_closed_connection_stops_the_generation(running: RunningEngine) -> None:
    body = fill_in(PREFIX, "", 900, stream=True, ignore_eos=True)
    async with client(running) as http:
        async with (
            http.stream("POST", "/v1/completions", json=body, extensions=extensions()) as answer,
            contextlib.aclosing(answer.aiter_bytes()) as pieces,
        ):
            await anext(pieces)
        await complete(running, max_tokens=1)
        metrics = (await http.get("/metrics", extensions=extensions())).text

    generated = next(
        float(line.split()[1])
        for line in metrics.splitlines()
        if line.startswith("llamacpp:tokens_predicted_total ")
    )
    assert generated < 800


async def test_the_engine_survives_its_server_and_its_supervisor(
    make_engine: MakeEngine, real_model: InstalledModel, state: Path
) -> None:
    engine = make_engine(real_model.path.parent, model=real_model.card.id)
    first = await engine.ensure_started()
    [status] = await engine.status()
    psutil.Process(status.server_pid).kill()
    await until(lambda: gone(status.server_pid), "the server is killed")
    second = first
    while second.url == first.url:
        second = await engine.ensure_started()
    assert (await complete(second, max_tokens=1))["choices"]

    [status] = await engine.status()
    psutil.Process(second.pid).kill()
    await until(lambda: gone(status.server_pid), "the server follows its supervisor")
    await until(partial(unowned, state), "the supervisor is gone")
    third = await engine.ensure_started()

    assert third.pid != second.pid
    assert (await complete(third, max_tokens=1))["choices"]


async def test_the_engine_is_shared_and_ends_with_its_last_user(
    make_engine: MakeEngine, real_model: InstalledModel, state: Path
) -> None:
    engine = make_engine(real_model.path.parent, model=real_model.card.id)
    models = real_model.path.parent
    command = [sys.executable, "-c", HOLD_AN_ENGINE, real_model.card.id, str(models), str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as window:
        assert window.stdout is not None
        pid = int(await asyncio.to_thread(window.stdout.readline))
        assert (await engine.ensure_started()).pid == pid
        [status] = await engine.status()
        await engine.release()
        window.kill()

    await until(lambda: gone(pid) and gone(status.server_pid), "the engine ends")


async def test_a_supervisor_killed_while_the_model_loads_leaves_no_server(
    make_engine: MakeEngine, real_model: InstalledModel, state: Path
) -> None:
    engine = make_engine(real_model.path.parent, model=real_model.card.id)
    starting = asyncio.create_task(engine.ensure_started())

    def loading() -> dict[str, Any]:
        for file in state.glob("*/state.json"):
            told: dict[str, Any] = json.loads(file.read_text())
            if told["status"] == "starting" and told["child_pid"]:
                return told
        return {}

    await until(lambda: bool(loading()), "the server is started")
    told = await asyncio.to_thread(loading)
    psutil.Process(told["pid"]).kill()

    await until(lambda: gone(told["child_pid"]), "the server follows its supervisor")
    with contextlib.suppress(Exception):
        await starting
