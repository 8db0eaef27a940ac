"""The audit log: what left this device, what was refused, and proof that it is whole.

Each line is a JSON object that carries the SHA-256 of the line before it, so that a line
that was changed, dropped or inserted breaks the chain. The log holds no code and no
secrets: only sizes, names and digests.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from filelock import FileLock

#: A log of this many bytes is put aside and a new one begun.
ROTATE_AT = 4 * 1024 * 1024

#: How many logs that were put aside are kept.
KEPT = 5

#: What the first entry of a chain carries in place of a digest.
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One request that left the device or was refused.

    Attributes:
        workspaces: the folders whose text was inside.
        files: the files whose text was inside, relative to their folders.
        sent_bytes: size of the request's body.
        sha256: digest of the request's body.
        refused: why nothing was sent; empty when it was.
    """

    backend: str
    model: str | None
    zone: str
    purpose: str
    workspaces: tuple[str, ...]
    files: tuple[str, ...]
    sent_bytes: int
    sha256: str
    refused: str = ""


class Audit(Protocol):
    """Where the gate records what leaves and what it refuses."""

    def record(self, entry: AuditEntry) -> None:
        """Append an entry, on disk before this returns.

        Raises:
            OSError: when it cannot be written.
        """
        ...


class NoAudit:
    """An audit that keeps entries in memory, for tests and for gates closed to the device."""

    def __init__(self) -> None:
        self.entries: list[AuditEntry] = []

    def record(self, entry: AuditEntry) -> None:
        """Keep an entry."""
        self.entries.append(entry)


class AuditLog:
    """An append-only log file, shared by all processes of a user.

    Args:
        path: the file; its folder is made when the first entry is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(f"{path}.lock", mode=0o600)

    def record(self, entry: AuditEntry) -> None:
        """Append an entry, on disk before this returns.

        Raises:
            OSError: when it cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._lock:
            previous = _last_digest(self.path)
            if self.path.exists() and self.path.stat().st_size > ROTATE_AT:
                self._rotate()
            line = _line(entry, previous)
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(descriptor, line)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def _rotate(self) -> None:
        for number in range(KEPT, 0, -1):
            older = _aside(self.path, number)
            newer = _aside(self.path, number - 1) if number > 1 else self.path
            if newer.exists():
                newer.replace(older)


def read_audit(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of the log and of those put aside, oldest first.

    A line that is no JSON object is yielded as ``{"damaged": True}``.
    """
    for file in _files(path):
        for line in file.read_bytes().splitlines():
            yield _parse(line)


def verify_audit(path: Path) -> list[str]:
    """Return what is wrong with the chain, a sentence for each break; empty when it holds."""
    problems: list[str] = []
    previous: str | None = None
    for file in _files(path):
        for number, line in enumerate(file.read_bytes().splitlines(), start=1):
            entry = _parse(line)
            where = f"{file.name}, line {number}"
            if "damaged" in entry:
                problems.append(f"{where}: not an entry")
            elif previous is not None and entry.get("previous") != previous:
                problems.append(f"{where}: the entry before it was changed or removed")
            previous = hashlib.sha256(line).hexdigest()
    return problems


def _line(entry: AuditEntry, previous: str) -> bytes:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": moment, **asdict(entry), "previous": previous}).encode() + b"\n"


def _parse(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {"damaged": True}
    return entry if isinstance(entry, dict) else {"damaged": True}


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def _files(path: Path) -> Iterator[Path]:
    for number in range(KEPT, 0, -1):
        if _aside(path, number).exists():
            yield _aside(path, number)
    if path.exists():
        yield path


def _last_digest(path: Path) -> str:
    """Return the digest of the newest line, reading only the end of the file."""
    newest = list(_files(path))
    if not newest:
        return GENESIS
    with newest[-1].open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 64 * 1024))
        lines = file.read().splitlines()
    return hashlib.sha256(lines[-1]).hexdigest() if lines else GENESIS
