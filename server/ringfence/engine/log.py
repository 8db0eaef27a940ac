"""The engine's log: small, rotated, readable by its user alone."""

from __future__ import annotations

import os
import threading
import time
from io import FileIO
from pathlib import Path

#: A log of this many bytes is put aside, and the one put aside before is dropped.
ROTATE_AT = 512 * 1024


class EngineLog:
    """Appends lines to a file; safe to use from several threads.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._file = _open(path)

    def write(self, line: str) -> None:
        """Append a line with the time before it; a full disk loses it silently."""
        moment = time.strftime("%Y-%m-%d %H:%M:%S")
        with self._lock:
            try:
                if self._file.tell() > ROTATE_AT:
                    self._file.close()
                    self._path.replace(self._path.with_suffix(".old.log"))
                    self._file = _open(self._path)
                self._file.write(f"{moment} {line.rstrip()}\n".encode(errors="replace"))
            except (OSError, ValueError):
                return

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._file.close()


def tail(path: Path, lines: int) -> list[str]:
    """Return the last ``lines`` of a log; none when there is no log."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - lines * 400))
            return file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        return []


def _open(path: Path) -> FileIO:
    path.touch(mode=0o600)
    return path.open("ab", buffering=0)
