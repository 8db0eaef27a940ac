"""Waiting for something in another process, with an upper bound only."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import psutil

from ringfence.engine.state import EngineFolder


async def until(holds: Callable[[], bool], what: str, seconds: float = 30) -> None:
    """Return when ``holds()`` does; fail when it has not within ``seconds``."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not await asyncio.to_thread(holds):
        assert loop.time() < end, f"waited {seconds:.0f} s in vain: {what}"
        await asyncio.sleep(0.05)


def unowned(state: Path) -> bool:
    """Whether no supervisor owns an engine.

    A killed process counts as gone when its first thread is, but keeps its locks until
    its last thread is; so whoever needs the locks to be free asks this.
    """
    return not any(EngineFolder(path).supervisor_alive() for path in state.glob("*"))


def gone(pid: int) -> bool:
    """Whether a process has ended; one that only its parent has yet to note counts."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
