"""The server as the supervisor sees it: a child process that answers once and may end."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from dataclasses import asdict, dataclass
from typing import IO, TypeAlias

from .log import EngineLog
from .state import Launch

#: Seconds that the server has to end by itself when its input is closed.
_GRACE = 2.0


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded and served at ``url``."""

    url: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The server is gone; why, in a sentence and in a word."""

    reason: str
    code: str


Event: TypeAlias = Ready | Ended


class ServerProcess:
    """A running server with an API key of its own.

    Args:
        launch: what to serve.
        log: where its output goes.
    """

    def __init__(self, launch: Launch, log: EngineLog) -> None:
        self.key = secrets.token_urlsafe(32)
        self._log = log
        self._events: queue.Queue[Event] = queue.Queue()
        self._last_lines: deque[str] = deque(maxlen=40)
        # -P keeps the working folder, which may be anybody's code, off the module path.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "ringfence.engine.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | {"GGML_NO_BACKTRACE": "1"},
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        order = asdict(launch) | {"key": self.key, "supervisor_pid": os.getpid()}
        with contextlib.suppress(OSError):
            _pipe(self._process.stdin).write(json.dumps(order).encode() + b"\n")
            _pipe(self._process.stdin).flush()
        self._log_reader = threading.Thread(target=self._read_log, daemon=True)
        self._log_reader.start()
        threading.Thread(target=self._read_answers, daemon=True).start()

    @property
    def pid(self) -> int:
        """The server's process."""
        return self._process.pid

    def next_event(self, timeout: float) -> Event | None:
        """Return what happened next; None when nothing did within ``timeout`` seconds."""
        try:
            return self._events.get(timeout=timeout)
        except queue.Empty:
            return None

    def stop(self) -> None:
        """End the server, gently at first."""
        with contextlib.suppress(OSError):
            _pipe(self._process.stdin).close()
        try:
            self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _read_log(self) -> None:
        for line in _pipe(self._process.stderr):
            text = line.decode(errors="replace").rstrip()
            self._last_lines.append(text)
            self._log.write(text)

    def _read_answers(self) -> None:
        """Turn the server's one answer, and its end, into events."""
        failure: dict[str, str] = {}
        for line in _pipe(self._process.stdout):
            try:
                answer = json.loads(line)
            except ValueError:
                continue
            if "url" in answer:
                self._events.put(Ready(answer["url"]))
            else:
                failure = answer
        status = self._process.wait()
        self._log_reader.join(timeout=_GRACE)
        self._events.put(_ended(status, failure, list(self._last_lines)))


def _ended(status: int, failure: dict[str, str], last_lines: list[str]) -> Ended:
    """Say why the server ended, from its exit status, its answer and its last words."""
    said = "\n".join(last_lines).lower()
    if failure.get("code") == "engine-not-installed":
        return Ended(
            "the embedded engine is not installed; run: pip install 'ringfence[engine]'",
            "engine-not-installed",
        )
    out_of_memory = "failed to allocate" in said or "bad_alloc" in said
    if failure.get("code") == "memory" or out_of_memory:
        return Ended(
            "there is not enough memory for the model; choose a smaller one in engine.model or "
            "lower engine.context",
            "memory",
        )
    if failure:
        return Ended(f"llama.cpp cannot load the model: {_error_in(last_lines)}", "model")
    if status == -getattr(signal, "SIGKILL", 9):
        return Ended(
            "the server was killed, perhaps because the machine ran out of memory", "killed"
        )
    if status < 0:
        return Ended(f"the server crashed (signal {-status})", "crashed")
    return Ended(f"the server ended by itself (exit code {status})", "crashed")


def _error_in(lines: list[str]) -> str:
    """Return the first error that llama.cpp logged, without its time and its function."""
    for line in lines:
        if " E " in line:
            return line.partition(" E ")[2].rpartition(": ")[2].strip()
    return "see the engine's log"


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    if stream is None:
        raise RuntimeError("the server was started without pipes")
    return stream
