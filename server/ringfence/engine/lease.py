"""Leases: a locked file per user of an engine.

The operating system drops the lock when its holder dies, however it dies, so a killed
editor's lease needs nobody to give it back. Leases are taken and swept under the folder's
start lock only; otherwise a sweep could catch a file between its making and its locking.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from filelock import BaseFileLock

from .locks import try_lock


class Lease:
    """One user's hold on an engine.

    Args:
        folder: the folder of leases; the caller holds the start lock.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / f"{os.getpid()}-{secrets.token_hex(4)}.lease"
        lock = try_lock(self._path)
        if lock is None:
            raise RuntimeError("a new lease is already locked")
        self._lock: BaseFileLock = lock

    def release(self) -> None:
        """Give the lease back; releasing twice is harmless."""
        if not self._lock.is_locked:
            return
        # Windows cannot delete an open file; elsewhere the order does not matter.
        self._lock.release()
        self._path.unlink(missing_ok=True)


def count_held(folder: Path) -> int:
    """Return how many leases are held, deleting those whose holders are gone."""
    held = 0
    for path in folder.glob("*.lease"):
        lock = try_lock(path)
        if lock is None:
            held += 1
        else:
            lock.release()
            path.unlink(missing_ok=True)
    return held
