"""The files through which the users of an engine and its supervisor know of each other.

Each engine has a folder of its own, readable by its user alone:

    launch.json       what to start, written by the first user
    state.json        how it is, written by the supervisor
    start.lock        held while starting, taking a lease, or ending
    supervisor.lock   held by the supervisor as long as it lives
    yield             asks an engine that nobody uses to end without waiting
    leases/           one locked file per user
    engine.log        what llama.cpp and the supervisor say, rotated
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from .locks import is_held


class Status(StrEnum):
    """How an engine is."""

    STARTING = "starting"
    READY = "ready"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Launch:
    """What a supervisor is to start.

    Attributes:
        token: names this start, so that its state is not mistaken for an older one's.
        model_id: the name that the server gives to the model.
        model_path: the GGUF file.
        context: tokens of context.
        threads: threads that compute.
        batch: tokens of a prompt that are read between two looks at the outside.
        slots: requests that are worked on at once.
        prompt_cache_mib: memory for the prompts of other requests.
        idle_seconds: how long to stay up when nobody holds a lease.
    """

    token: str
    model_id: str
    model_path: str
    context: int
    threads: int
    batch: int
    slots: int
    prompt_cache_mib: int
    idle_seconds: float


@dataclass(frozen=True, slots=True)
class EngineState:
    """What a supervisor tells.

    Attributes:
        url: base URL of the server, while it is ready.
        key: API key of this start of the server.
        child_pid: process of the server.
        reason: why it failed, or why it was last restarted, in a sentence.
        code: a word for ``reason``.
        restarts: how often the server was started again.
        since: when this status began, in seconds since 1970.
    """

    token: str
    pid: int
    status: Status
    model_id: str
    context: int
    threads: int
    url: str = ""
    key: str = ""
    child_pid: int = 0
    reason: str = ""
    code: str = ""
    restarts: int = 0
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class EngineFolder:
    """One engine's folder."""

    path: Path

    @property
    def launch_file(self) -> Path:
        """What to start."""
        return self.path / "launch.json"

    @property
    def state_file(self) -> Path:
        """How it is."""
        return self.path / "state.json"

    @property
    def start_lock(self) -> Path:
        """Held while starting, taking a lease, or ending."""
        return self.path / "start.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.path / "supervisor.lock"

    @property
    def yield_file(self) -> Path:
        """Asks an engine that nobody uses to end without waiting."""
        return self.path / "yield"

    @property
    def leases(self) -> Path:
        """The folder of leases."""
        return self.path / "leases"

    @property
    def log_file(self) -> Path:
        """What llama.cpp and the supervisor say."""
        return self.path / "engine.log"

    def make(self) -> None:
        """Make the folders, for this user alone.

        Raises:
            PermissionError: when somebody else owns the folder or may write to it.
        """
        for folder in (self.path.parent, self.path, self.leases):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _require_private(folder)

    def supervisor_alive(self) -> bool:
        """Whether a supervisor owns this folder now."""
        return is_held(self.supervisor_lock)

    def read_launch(self) -> Launch | None:
        """Return what to start, if it is said and readable."""
        return _read(self.launch_file, Launch)

    def write_launch(self, launch: Launch) -> None:
        """Say what to start."""
        _write_private(self.launch_file, asdict(launch))

    def read_state(self) -> EngineState | None:
        """Return what the last supervisor told, if it is readable."""
        state = _read(self.state_file, EngineState)
        try:
            return replace(state, status=Status(state.status)) if state else None
        except ValueError:
            return None

    def write_state(self, state: EngineState) -> None:
        """Tell how the engine is."""
        _write_private(self.state_file, asdict(state))


_Record = TypeVar("_Record", Launch, EngineState)


def _read(path: Path, kind: type[_Record]) -> _Record | None:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return kind(**values)
    except (OSError, ValueError, TypeError):
        return None


def _write_private(path: Path, values: dict[str, Any]) -> None:
    """Write a file in one step, readable by this user alone."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(values, file)
    for attempt in range(20):
        try:
            aside.replace(path)
        except PermissionError:
            # Windows refuses while a reader has the old file open, which is a moment.
            if attempt == 19:
                aside.unlink(missing_ok=True)
                raise
            time.sleep(0.05)
        else:
            return


def _require_private(folder: Path) -> None:
    about = folder.stat()
    if sys.platform != "win32":
        # Windows keeps a user's application folder to that user by inherited rights.
        if about.st_uid != os.getuid():
            raise PermissionError(f"the folder {folder.name} belongs to another user")
        if about.st_mode & 0o077:
            folder.chmod(0o700)
