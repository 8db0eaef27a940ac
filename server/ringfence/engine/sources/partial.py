"""A file that grows by pieces under a temporary name until it is whole and verified."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path
from typing import Self

from ringfence.engine.errors import NotEnoughSpace

#: Bytes left free on the disk besides what a download needs.
RESERVE = 512 * 1024 * 1024

#: Bytes handled at a time: large enough to cost little, small enough not to matter.
CHUNK = 1024 * 1024


def megabytes(count: int) -> str:
    """Return a size for people, in decimal megabytes or gigabytes."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{max(1, round(count / 1e6))} MB"


def require_space(folder: Path, needed: int, what: str) -> None:
    """Check that the disk has room.

    Raises:
        NotEnoughSpace: when ``needed`` bytes and the reserve do not fit.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + RESERVE:
        raise NotEnoughSpace(
            f"{what} needs {megabytes(needed)} and {megabytes(RESERVE)} in reserve, and the disk "
            f"of the model folder has {megabytes(free)} free; free some space, or set "
            "RINGFENCE_MODELS to a folder on another disk"
        )


def partial_path(into: Path, sha256: str) -> Path:
    """Return the temporary name for a file of this content, so that contents never mix."""
    return into.with_name(f".{into.name}.{sha256[:16]}.partial")


class Partial:
    """A file under construction, with the running digest of what it holds.

    All methods block on the disk; call them in a thread.

    Args:
        path: the temporary name.
        keep: how many bytes of an earlier attempt are known to be good; None for all.
    """

    def __init__(self, path: Path, keep: int | None = None) -> None:
        self.path = path
        self.size = 0
        self._digest = hashlib.sha256()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o644)
        self._file = path.open("r+b", buffering=0)
        while keep is None or self.size < keep:
            block = self._file.read(CHUNK if keep is None else min(CHUNK, keep - self.size))
            if not block:
                break
            self._digest.update(block)
            self.size += len(block)
        self._cut()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def append(self, data: bytes) -> None:
        """Add ``data`` at the end.

        Raises:
            NotEnoughSpace: when the disk is full.
        """
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise NotEnoughSpace(
                    "the disk of the model folder is full; free some space and try again: what "
                    "was fetched is kept"
                ) from error
            raise
        self._digest.update(data)
        self.size += len(data)

    def restart(self) -> None:
        """Forget everything."""
        self.size = 0
        self._digest = hashlib.sha256()
        self._cut()

    def sync(self) -> None:
        """Wait until everything is on the disk."""
        os.fsync(self._file.fileno())

    def sha256(self) -> str:
        """Return the digest of what the file holds."""
        return self._digest.hexdigest()

    def commit(self, into: Path) -> None:
        """Give the file its final name, in one step."""
        self.sync()
        self.close()
        self.path.replace(into)

    def discard(self) -> None:
        """Delete the file."""
        self.close()
        self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file, keeping what it holds."""
        self._file.close()

    def _cut(self) -> None:
        self._file.seek(self.size)
        self._file.truncate()
