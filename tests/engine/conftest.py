"""Engines for tests, with state folders of their own, ended when the test is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from ringfence.config.settings import EngineSettings
from ringfence.engine.client import Engine
from ringfence.engine.directories import EngineDirectories
from ringfence.engine.state import EngineFolder
from ringfence.privacy import Gate

MakeEngine = Callable[..., Engine]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the test's engines are told of."""
    return tmp_path / "state"


@pytest.fixture
async def make_engine(tmp_path: Path, state: Path, tiny_model: Path) -> AsyncIterator[MakeEngine]:
    """Makes engines for the tiny model, on one thread and with a short wait."""
    made: list[Engine] = []

    def make(models: Path | None = None, **settings: object) -> Engine:
        values = {"model": str(tiny_model), "threads": 1, "context": 1024, "idle_seconds": 0.3}
        engine = Engine(
            EngineSettings.model_validate(values | settings),
            EngineDirectories(models or tmp_path / "models", state),
            Gate(),
        )
        made.append(engine)
        return engine

    yield make
    for engine in made:
        await engine.release()
    await asyncio.to_thread(_end_all, state)


def _end_all(state: Path) -> None:
    for path in state.glob("*"):
        told = EngineFolder(path).read_state()
        for pid in (told.pid, told.child_pid) if told else ():
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                if pid and "ringfence.engine" in " ".join(process.cmdline()):
                    process.kill()
