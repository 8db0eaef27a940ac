"""llama.cpp's own HTTP server in a process of its own: ``python -m ringfence.engine.child``.

The first line of standard input says what to serve, the API key included, so that the key
stands neither on a command line nor in an environment that other programs can read. One
line on standard output answers: the address, or what went wrong. The process ends when
standard input ends, which is when its supervisor does.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any, NoReturn

#: Memory errors as llama.cpp and the C++ library word them.
_MEMORY_WORDS = ("bad_alloc", "out of memory", "failed to allocate")


def main() -> NoReturn:
    """Serve until standard input ends."""
    answer = _private_output()
    try:
        order = json.loads(sys.stdin.buffer.readline())
    except ValueError:
        _exit(2)
    _end_with_parent(order["supervisor_pid"])
    threading.Thread(target=_wait_for_end, daemon=True).start()
    try:
        server = _start(order)
    except ImportError:
        _answer(answer, code="engine-not-installed", error="xllamacpp cannot be imported")
        _exit(3)
    except MemoryError:
        _answer(answer, code="memory", error="there is not enough memory for the model")
        _exit(3)
    except RuntimeError as error:
        memory = any(word in str(error).lower() for word in _MEMORY_WORDS)
        _answer(answer, code="memory" if memory else "model", error=str(error))
        _exit(3)
    _answer(answer, url=server.listening_address)
    threading.Event().wait()
    _exit(0)


def _start(order: dict[str, Any]) -> Any:
    """Load the model and serve it on a free port of the loopback interface."""
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = order["model_path"]
    params.model_alias = {order["model_id"]}
    params.hostnames = ["127.0.0.1"]
    # The system picks a free port, a new one at each start.
    params.port = 0
    params.api_keys = [order["key"]]
    # No web page may read an answer, whatever its origin.
    params.cors_origins = ""
    params.cors_credentials = False
    params.ui = False
    params.endpoint_slots = True
    params.endpoint_metrics = True
    params.endpoint_props = False
    params.n_ctx = order["context"] * order["slots"]
    params.n_parallel = order["slots"]
    params.n_batch = order["batch"]
    params.n_ubatch = order["batch"]
    params.cpuparams.n_threads = order["threads"]
    params.cpuparams_batch.n_threads = order["threads"]
    params.cache_ram_mib = order["prompt_cache_mib"]
    # Requests whose users went away hold a thread until llama.cpp notices.
    params.n_threads_http = 16
    params.offline = True
    return xllamacpp.Server(params)


def _private_output() -> int:
    """Return a descriptor for the answer, and send all other output to standard error.

    llama.cpp may print to standard output, which would garble the answer.
    """
    answer = os.dup(1)
    os.dup2(2, 1)
    return answer


def _answer(descriptor: int, **values: str) -> None:
    os.write(descriptor, json.dumps(values).encode() + b"\n")


def _wait_for_end() -> None:
    while sys.stdin.buffer.read(4096):
        pass
    _exit(0)


def _end_with_parent(supervisor_pid: int) -> None:
    """Ask Linux to end this process with its supervisor, even while a model loads.

    Loading holds Python's interpreter lock, so the end of standard input is only seen
    afterwards; elsewhere than on Linux that is soon enough.
    """
    if sys.platform != "linux":
        return
    import ctypes
    import signal

    set_parent_death_signal = 1
    ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL)
    if os.getppid() != supervisor_pid:
        _exit(0)


def _exit(code: int) -> NoReturn:
    """End at once; llama.cpp's threads would delay an orderly end."""
    os._exit(code)


if __name__ == "__main__":
    main()
