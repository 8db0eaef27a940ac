"""Starting an engine, or joining the one that runs. Everything here blocks: use a thread.

There is one engine per model file, user's settings and version of the software: windows
that want the same share it, and one that wants something else gets another. An engine
that nobody uses is asked to make room first.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import secrets
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import ringfence

from .errors import EngineFailed, EngineNotInstalled, EngineNotReady, NotEnoughMemory
from .gguf import read_facts
from .lease import Lease, count_held
from .locks import try_lock, wait_lock
from .machine import examine
from .state import EngineFolder, EngineState, Launch, Status
from .tuning import memory_needed, tune

#: Seconds after which an engine that gave up may be tried again. A file or a package that
#: was mended makes another engine, which is tried at once.
RETRY_AFTER = 60.0

#: Seconds after which the log and the state of an engine that ended are deleted.
FORGET_AFTER = 30 * 24 * 3600.0

#: Seconds that another window may take to start the engine before this one complains.
_START_TIMEOUT = 20.0

#: Seconds that an idle engine has to make room.
_YIELD_TIMEOUT = 4.0

#: Started supervisors, on Windows only: they have no parent to clean up after them.
_started: list[subprocess.Popen[bytes]] = []


@dataclass(frozen=True, slots=True)
class Wish:
    """What a user of the engine wants.

    Attributes:
        model_path: the GGUF file.
        threads: as the user set it; None to choose.
        context: as the user set it; None to choose.
        memory_limit: bytes that models may use, if the user set a limit.
    """

    model_id: str
    model_path: Path
    threads: int | None
    context: int | None
    idle_seconds: float
    memory_limit: int | None = None

    def folder(self, state: Path) -> EngineFolder:
        """Return the folder of the engine that fulfils this wish."""
        file = self.model_path.resolve()
        about = file.stat()
        identity = [
            str(file),
            about.st_size,
            about.st_mtime_ns,
            self.model_id,
            self.threads,
            self.context,
            ringfence.__version__,
            _engine_version(),
        ]
        digest = hashlib.sha256(json.dumps(identity).encode()).hexdigest()
        return EngineFolder(state / digest[:16])


def require_engine() -> None:
    """Check that llama.cpp is installed.

    Raises:
        EngineNotInstalled: when it is not.
    """
    if importlib.util.find_spec("xllamacpp") is None:
        raise EngineNotInstalled


def join(wish: Wish, folder: EngineFolder) -> Lease:
    """Return a lease on the engine in ``folder``, started if nobody has.

    The model may still be loading when this returns.

    Raises:
        EngineFailed: when it gave up a moment ago, or does not come up.
        EngineNotReady: when another window takes long to start it.
        NotEnoughMemory: when the model does not fit.
        NotGguf: when the model's file is no model.
    """
    try:
        folder.make()
    except OSError as error:
        raise EngineFailed(
            f"the engine's state folder cannot be used: {error.strerror or error}; mend its owner "
            "and permissions"
        ) from error
    lock = wait_lock(folder.start_lock, _START_TIMEOUT)
    if lock is None:
        raise EngineNotReady("another window is still starting the engine; try again in a moment")
    try:
        lease = Lease(folder.leases)
        try:
            if not folder.supervisor_alive():
                _refuse_after_failure(folder.read_state())
                _make_room(folder)
                launch = _launch(wish)
                folder.write_launch(launch)
                _spawn(folder)
                _await_supervisor(folder, launch.token)
        except BaseException:
            lease.release()
            raise
        return lease
    finally:
        lock.release()


def _refuse_after_failure(state: EngineState | None) -> None:
    if state is None or state.status is not Status.FAILED:
        return
    if time.time() - state.since < RETRY_AFTER:
        raise EngineFailed(f"the engine failed: {state.reason}")


def _launch(wish: Wish) -> Launch:
    facts = read_facts(wish.model_path)
    machine = examine()
    tuning = tune(
        machine,
        weights_bytes=facts.file_bytes,
        kv_bytes_per_token=facts.kv_bytes_per_token,
        trained_context=facts.trained_context,
        threads=wish.threads,
        context=wish.context,
    )
    needed = memory_needed(facts.file_bytes, facts.kv_bytes_per_token, tuning.context)
    room = machine.memory_available
    if wish.memory_limit is not None:
        room = min(room, wish.memory_limit)
    if needed > room:
        raise NotEnoughMemory(
            f"{wish.model_id} needs {needed / 1e9:.1f} GB of memory and {room / 1e9:.1f} GB can "
            "be had; choose a smaller model in engine.model, or close other programs"
        )
    return Launch(
        token=secrets.token_hex(8),
        model_id=wish.model_id,
        model_path=str(wish.model_path.resolve()),
        context=tuning.context,
        threads=tuning.threads,
        batch=tuning.batch,
        slots=tuning.slots,
        prompt_cache_mib=tuning.prompt_cache_mib,
        idle_seconds=wish.idle_seconds,
    )


def _make_room(wanted: EngineFolder) -> None:
    """Ask engines that nobody uses to end, and wait a little until they have."""
    asked = []
    for path in wanted.path.parent.iterdir():
        other = EngineFolder(path)
        if path == wanted.path or not path.is_dir():
            continue
        if not other.supervisor_alive():
            _forget_if_old(other)
            continue
        lock = try_lock(other.start_lock)
        if lock is None:
            continue
        try:
            if count_held(other.leases) == 0:
                other.yield_file.touch(mode=0o600)
                asked.append(other)
        finally:
            lock.release()
    until = time.monotonic() + _YIELD_TIMEOUT
    while time.monotonic() < until and any(other.supervisor_alive() for other in asked):
        time.sleep(0.1)


def _forget_if_old(folder: EngineFolder) -> None:
    """Delete what an engine left that nobody has wanted for long: an older version's, say."""
    try:
        age = time.time() - folder.path.stat().st_mtime
    except OSError:
        return
    if age > FORGET_AFTER:
        shutil.rmtree(folder.path, ignore_errors=True)


def _spawn(folder: EngineFolder) -> None:
    # -P keeps the working folder, which may be anybody's code, off the module path.
    command = [sys.executable, "-P", "-m", "ringfence.engine.supervisor", str(folder.path)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder.path,
        start_new_session=True,
        creationflags=getattr(subprocess, "DETACHED_PROCESS", 0)
        | getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
    )
    if sys.platform == "win32":
        _started.append(process)
    else:
        process.wait()


def _await_supervisor(folder: EngineFolder, token: str) -> None:
    until = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < until:
        state = folder.read_state()
        if state is not None and state.token == token:
            return
        time.sleep(0.02)
    raise EngineFailed(
        "the engine's supervisor did not start; `ringfence doctor` shows the engine's log"
    )


def _engine_version() -> str:
    try:
        return importlib.metadata.version("xllamacpp")
    except importlib.metadata.PackageNotFoundError:
        return ""
