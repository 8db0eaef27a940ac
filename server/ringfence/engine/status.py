"""What engines there are, for people."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from .lease import count_held
from .locks import try_lock
from .state import EngineFolder, Status


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """One engine of this user.

    Attributes:
        running: whether its supervisor lives.
        status: a word of ``state.Status``.
        pid: process of the supervisor; 0 when it is gone.
        server_pid: process of llama.cpp; 0 when there is none.
        model: the model's name.
        context: tokens of context.
        threads: threads that compute.
        memory_bytes: resident memory of both processes.
        restarts: how often llama.cpp was started again after a crash.
        uptime_seconds: how long the present status has lasted.
        users: how many processes hold a lease; None while it is starting or ending.
        reason: why it failed or was restarted last.
        log: where its log lies.
    """

    running: bool
    status: str
    pid: int
    server_pid: int
    model: str
    context: int
    threads: int
    memory_bytes: int
    restarts: int
    uptime_seconds: float
    users: int | None
    reason: str
    log: Path


def survey(state_folder: Path) -> tuple[EngineStatus, ...]:
    """Return the engines that run, and those that failed; the most recent first."""
    found = []
    if not state_folder.is_dir():
        return ()
    for path in state_folder.iterdir():
        folder = EngineFolder(path)
        state = folder.read_state() if path.is_dir() else None
        if state is None:
            continue
        alive = folder.supervisor_alive()
        if not alive and state.status is not Status.FAILED:
            continue
        status = EngineStatus(
            running=alive,
            status=state.status.value,
            pid=state.pid if alive else 0,
            server_pid=state.child_pid if alive else 0,
            model=state.model_id,
            context=state.context,
            threads=state.threads,
            memory_bytes=_memory(state.pid, state.child_pid) if alive else 0,
            restarts=state.restarts,
            uptime_seconds=max(0.0, time.time() - state.since),
            users=_users(folder) if alive else 0,
            reason=state.reason,
            log=folder.log_file,
        )
        found.append((state.since, status))
    return tuple(status for _, status in sorted(found, key=lambda pair: -pair[0]))


def _memory(*pids: int) -> int:
    total = 0
    for pid in filter(None, pids):
        with contextlib.suppress(psutil.Error):
            total += psutil.Process(pid).memory_info().rss
    return total


def _users(folder: EngineFolder) -> int | None:
    lock = try_lock(folder.start_lock)
    if lock is None:
        return None
    try:
        return count_held(folder.leases)
    finally:
        lock.release()
