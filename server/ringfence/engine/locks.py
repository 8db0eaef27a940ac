"""Operating-system file locks, which vanish with the process that holds them."""

from __future__ import annotations

from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout


def try_lock(path: Path) -> BaseFileLock | None:
    """Return the lock on ``path``, held; None when another holds it."""
    lock = FileLock(path, timeout=0, mode=0o600, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def wait_lock(path: Path, seconds: float) -> BaseFileLock | None:
    """Return the lock on ``path``, held; None when another still holds it after ``seconds``."""
    lock = FileLock(path, timeout=seconds, mode=0o600, thread_local=False)
    try:
        lock.acquire()
    except Timeout:
        return None
    return lock


def is_held(path: Path) -> bool:
    """Whether some process holds the lock on ``path``."""
    if not path.exists():
        return False
    lock = try_lock(path)
    if lock is None:
        return True
    lock.release()
    return False
