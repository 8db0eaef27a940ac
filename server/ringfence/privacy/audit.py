"""The audit log: what left this device, what was refused, and proof that it is whole.

Each line is a JSON object that carries the SHA-256 of the line before it, so that a line
that was changed, dropped or inserted breaks the chain. The digest of the newest line is
kept in a file beside the log, so that lines cut off its end are missed too. The log holds
no code and no secrets: only sizes, names and digests.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
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

#: Seconds to wait for other processes that write.
LOCK_TIMEOUT = 5.0


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
    """Where the gate records what leaves and what it refuses; called from any thread."""

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

    def record(self, entry: AuditEntry) -> None:
        """Append an entry, on disk before this returns.

        Raises:
            OSError: when it cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(self.path):
            if self.path.exists() and self.path.stat().st_size > ROTATE_AT:
                _rotate(self.path)
            line = _line(entry, _previous(self.path))
            _append(self.path, line)
            _write_head(self.path, _digest(line.rstrip(b"\n")))


def read_audit(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of the log and of those put aside, oldest first.

    A line that is no JSON object is yielded as ``{"damaged": True}``.

    Raises:
        OSError: when the log cannot be read.
    """
    with _locked_for_reading(path):
        contents = _contents(path)
    for _, lines in contents:
        for line in lines:
            yield _parse(line)


def verify_audit(path: Path) -> list[str]:
    """Return what is wrong with the chain, a sentence for each break; empty when it holds.

    Raises:
        OSError: when the log cannot be read.
    """
    with _locked_for_reading(path):
        contents, head = _contents(path), _head(path)
    problems: list[str] = []
    # While no log was dropped as too old, the first entry must be the very first.
    begun = not _aside(path, KEPT).exists()
    digests = [GENESIS] if begun else []
    for name, lines in contents:
        for number, line in enumerate(lines, start=1):
            entry = _parse(line)
            where = f"{name}, line {number}"
            if "damaged" in entry:
                problems.append(f"{where}: not an entry")
            elif digests and entry.get("previous") != digests[-1]:
                problems.append(f"{where}: the entry before it was changed or removed")
            digests.append(_digest(line))
    # A process that ended between the two writes leaves the head one entry behind.
    if head is not None and head not in digests[-2:]:
        problems.append(f"{path.name}: the newest entries were changed or removed")
    return problems


def _locked(path: Path) -> FileLock:
    # One for each use, as threads of one process must exclude each other as well.
    return FileLock(f"{path}.lock", timeout=LOCK_TIMEOUT, mode=0o600)


def _locked_for_reading(path: Path) -> AbstractContextManager[object]:
    writable = path.parent.is_dir() and os.access(path.parent, os.W_OK)
    return _locked(path) if writable else nullcontext()


def _append(path: Path, line: bytes) -> None:
    """Append a line, wholly or not at all."""
    descriptor = _open(path, os.O_APPEND)
    try:
        size = os.fstat(descriptor).st_size
        if size and _end_of(path, 1) != b"\n":
            line = b"\n" + line
        try:
            _write(descriptor, line)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, size)
            raise
    finally:
        os.close(descriptor)


def _write_head(path: Path, digest: str) -> None:
    descriptor = _open(_head_of(path), 0)
    try:
        _write(descriptor, digest.encode())
    finally:
        os.close(descriptor)


def _open(path: Path, more: int) -> int:
    """Open a file for writing that only the user may read, and that is no link."""
    flags = os.O_WRONLY | os.O_CREAT | more
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags, 0o600)
    if hasattr(os, "fchmod"):
        with suppress(OSError):
            os.fchmod(descriptor, 0o600)
    return descriptor


def _write(descriptor: int, content: bytes) -> None:
    while content:
        content = content[os.write(descriptor, content) :]
    os.fsync(descriptor)


def _previous(path: Path) -> str:
    """Return the digest that the next entry carries.

    That is the head's, unless a process ended before it wrote the head: where entries were
    cut off, the next one then shows the break for good.
    """
    head = _head(path)
    newest = [_digest(line) for line in _last_lines(path)]
    last = newest[-1] if newest else GENESIS
    if head is None or head in newest:
        return last
    return head


def _last_lines(path: Path) -> list[bytes]:
    """Return the last two lines, or fewer, reading only the ends of the newest two logs."""
    lines: list[bytes] = []
    for file in reversed(list(_files(path))):
        window = 64 * 1024
        found = _end_of(file, window).splitlines()
        while len(found) < 3 and window < file.stat().st_size:
            window *= 8
            found = _end_of(file, window).splitlines()
        lines = found + lines
        if len(lines) >= 2:
            break
    return lines[-2:]


def _rotate(path: Path) -> None:
    for number in range(KEPT, 0, -1):
        older = _aside(path, number)
        newer = _aside(path, number - 1) if number > 1 else path
        if newer.exists():
            newer.replace(older)


def _line(entry: AuditEntry, previous: str) -> bytes:
    moment = datetime.now(UTC).isoformat(timespec="milliseconds")
    content = {"time": moment, **asdict(entry), "previous": previous}
    return json.dumps(content).encode("utf-8", "replace") + b"\n"


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _parse(line: bytes) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError:
        return {"damaged": True}
    return entry if isinstance(entry, dict) else {"damaged": True}


def _head_of(path: Path) -> Path:
    return path.with_name(f"{path.stem}.head")


def _head(path: Path) -> str | None:
    try:
        return _head_of(path).read_bytes().decode("ascii", "replace")
    except FileNotFoundError:
        return None


def _aside(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def _files(path: Path) -> Iterator[Path]:
    for number in range(KEPT, 0, -1):
        if _aside(path, number).exists():
            yield _aside(path, number)
    if path.exists():
        yield path


def _contents(path: Path) -> list[tuple[str, list[bytes]]]:
    return [(file.name, file.read_bytes().splitlines()) for file in _files(path)]


def _end_of(path: Path, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - size))
        return file.read()
