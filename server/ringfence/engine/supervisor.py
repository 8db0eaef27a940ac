"""The process that owns one engine: ``python -m ringfence.engine.supervisor FOLDER``.

It starts the server, starts it again when it crashes, tells its state in a file, and ends
it and itself when nobody has held a lease for a while. It belongs to no editor: whichever
window started it may close while others go on.

It imports little, as it lives as long as the editors do.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from filelock import BaseFileLock

from .lease import count_held
from .locks import try_lock, wait_lock
from .log import EngineLog
from .restart import RestartPolicy
from .server_process import Ended, Ready, ServerProcess
from .state import EngineFolder, EngineState, Launch, Status

#: Seconds between two looks at the leases.
TICK = 1.0

#: Seconds to wait for a supervisor that is just ending in the same folder.
_TAKEOVER_TIMEOUT = 5.0

#: Words of the server's that no further attempt would change.
_LASTING = ("engine-not-installed", "model", "memory")


@dataclass(slots=True)
class _Idle:
    """How long nobody has held a lease."""

    since: float | None = None


class Supervisor:
    """Owns one engine until nobody wants it.

    Args:
        folder: the engine's folder.
        launch: what to start.
        log: where to write what happens.
    """

    def __init__(self, folder: EngineFolder, launch: Launch, log: EngineLog) -> None:
        self._folder = folder
        self._launch = launch
        self._log = log
        self._policy = RestartPolicy()
        self._idle = _Idle()
        self._stopping = False
        self._start_lock: BaseFileLock | None = None
        self._state = EngineState(
            token=launch.token,
            pid=os.getpid(),
            status=Status.STARTING,
            model_id=launch.model_id,
            context=launch.context,
            threads=launch.threads,
        )

    def run(self) -> None:
        """Serve until idle, told to stop, or given up."""
        self._folder.yield_file.unlink(missing_ok=True)
        while not self._stopping:
            server = ServerProcess(self._launch, self._log)
            self._tell(Status.STARTING, child_pid=server.pid, url="", key="")
            try:
                ended, ran = self._watch(server)
            finally:
                server.stop()
            if ended is None:
                break
            if not self._may_restart(ended, ran):
                return
        self._tell(Status.STOPPED, child_pid=0, url="", key="")

    def stop(self, *_: int | FrameType | None) -> None:
        """Ask the supervisor to end; a signal handler."""
        self._stopping = True

    def _watch(self, server: ServerProcess) -> tuple[Ended | None, float]:
        """Wait until the server ends or is wanted no more; None for the latter."""
        ready_at: float | None = None
        while not self._stopping:
            event = server.next_event(self._tick())
            if isinstance(event, Ready):
                ready_at = time.monotonic()
                self._tell(Status.READY, url=event.url, key=server.key, reason="", code="")
            elif isinstance(event, Ended):
                return event, time.monotonic() - ready_at if ready_at is not None else 0.0
            if self._wanted_no_more():
                self._stopping = True
        return None, 0.0

    def _may_restart(self, ended: Ended, ran: float) -> bool:
        """Wait before the next start; False when there is none."""
        self._log.write(f"the server ended: {ended.reason}")
        lasting = ended.code in _LASTING
        delay = None if lasting else self._policy.delay_after(ran)
        if delay is None:
            again = "" if lasting else ", and again each time it was restarted"
            self._tell(
                Status.FAILED,
                child_pid=0,
                url="",
                key="",
                reason=f"{ended.reason}{again}",
                code=ended.code,
            )
            return False
        self._tell(
            Status.STARTING,
            child_pid=0,
            url="",
            key="",
            reason=ended.reason,
            code=ended.code,
            restarts=self._state.restarts + 1,
        )
        until = time.monotonic() + delay
        while not self._stopping and time.monotonic() < until:
            time.sleep(min(self._tick(), max(0.0, until - time.monotonic())))
            if self._wanted_no_more():
                self._stopping = True
        return True

    def _tick(self) -> float:
        return min(TICK, max(0.05, self._launch.idle_seconds / 4))

    def _wanted_no_more(self) -> bool:
        """Whether nobody has held a lease for long enough.

        When it is so, the start lock stays held until this process ends: whoever wants
        the engine now waits, and then starts another.
        """
        if not self._folder.leases.is_dir():
            return True
        lock = try_lock(self._folder.start_lock)
        if lock is None:
            return False
        if count_held(self._folder.leases):
            self._idle.since = None
        else:
            now = time.monotonic()
            if self._idle.since is None:
                self._idle.since = now
            yielding = self._folder.yield_file.exists()
            if yielding or now - self._idle.since >= self._launch.idle_seconds:
                self._log.write("nobody uses the engine any more: ending")
                self._start_lock = lock
                return True
        lock.release()
        return False

    def _tell(self, status: Status, **changes: str | int) -> None:
        since = self._state.since if status is self._state.status else time.time()
        self._state = replace(
            self._state,
            status=status,
            since=since or time.time(),
            **changes,  # type: ignore[arg-type]
        )
        with contextlib.suppress(OSError):
            self._folder.write_state(self._state)


def main(arguments: list[str]) -> int:
    """Own the engine of the folder that the one argument names."""
    os.umask(0o077)
    folder = EngineFolder(Path(arguments[0]))
    _leave_the_starter()
    lock = wait_lock(folder.supervisor_lock, _TAKEOVER_TIMEOUT)
    if lock is None:
        return 0
    log = EngineLog(folder.log_file)
    try:
        launch = folder.read_launch()
        if launch is None:
            log.write("there is no launch.json to follow")
            return 1
        supervisor = Supervisor(folder, launch, log)
        signal.signal(signal.SIGTERM, supervisor.stop)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        supervisor.run()
    except Exception as error:
        log.write(f"the supervisor failed: {type(error).__name__}: {error}")
        raise
    finally:
        log.close()
        lock.release()
    return 0


def _leave_the_starter() -> None:
    """Become nobody's child, so that ending an editor's processes spares this one.

    The starter waits for the process it made, which ends here, and so has no dead child
    to clean up later. Windows has no such ties.
    """
    if sys.platform == "win32":
        return
    if os.fork():
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
