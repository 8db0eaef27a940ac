"""Start to the ``initialize`` reply, and memory after it, beside a bare pygls server.

Run: ``python benchmarks/startup.py [--runs N] [--json] [COMMAND …]``. The command is the
server to measure, ``python -m ringfence serve`` by default. The runs of the two servers
alternate, so that both meet the same machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import IO, Any

import psutil

BARE = """
from lsprotocol import types
from pygls.lsp.server import LanguageServer

server = LanguageServer("bare", "1")


@server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
async def complete(params: types.InlineCompletionParams) -> list[types.InlineCompletionItem]:
    return []


@server.command("bare.status")
async def status() -> str:
    return "fine"


server.start_io()
"""

#: Time that a server gets to load what it loads after ``initialized``, in seconds.
SETTLE = 2.0


@dataclass(frozen=True)
class Start:
    """One start: seconds to the reply, and resident memory in MiB then and when settled."""

    seconds: float
    memory: float
    settled: float


def send(stream: IO[bytes], message: dict[str, Any]) -> None:
    """Write one message."""
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    stream.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
    stream.flush()


def receive(stream: IO[bytes], message_id: int) -> dict[str, Any]:
    """Read up to the answer with an id."""
    while True:
        length = 0
        while line := stream.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        if not length:
            raise RuntimeError("the server ended before it answered")
        message: dict[str, Any] = json.loads(stream.read(length))
        if message.get("id") == message_id and "method" not in message:
            return message


def start(command: list[str], environment: dict[str, str]) -> Start:
    """Start a server, have it initialized, measure it and end it."""
    capabilities: dict[str, Any] = {"textDocument": {"inlineCompletion": {}}}
    began = time.perf_counter()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    params = {"processId": os.getpid(), "rootUri": None, "capabilities": capabilities}
    send(process.stdin, {"id": 1, "method": "initialize", "params": params})
    receive(process.stdout, 1)
    seconds = time.perf_counter() - began
    memory = psutil.Process(process.pid).memory_info().rss / 2**20
    send(process.stdin, {"method": "initialized", "params": {}})
    time.sleep(SETTLE)
    settled = psutil.Process(process.pid).memory_info().rss / 2**20
    send(process.stdin, {"id": 2, "method": "shutdown"})
    receive(process.stdout, 2)
    send(process.stdin, {"method": "exit"})
    process.wait(10)
    return Start(seconds, memory, settled)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command or [sys.executable, "-m", "ringfence", "serve"]
    starts: dict[str, list[Start]] = {"ringfence": [], "bare pygls": []}
    with tempfile.TemporaryDirectory() as folder:
        # A configuration of its own: no engine and no backend is started for this.
        config = os.path.join(folder, "config.yaml")  # noqa: PTH118
        with open(config, "w", encoding="utf-8") as file:  # noqa: PTH123
            file.write("engine: {enabled: false}\n")
        environment = {**os.environ, "RINGFENCE_CONFIG": config}
        for _ in range(options.runs):
            starts["ringfence"].append(start(command, environment))
            starts["bare pygls"].append(start([sys.executable, "-c", BARE], environment))
    figures = {
        name: {
            "runs": len(runs),
            "seconds_to_reply": round(statistics.median(run.seconds for run in runs), 3),
            "slowest_seconds": round(max(run.seconds for run in runs), 3),
            "memory_mib": round(statistics.median(run.memory for run in runs), 1),
            "memory_settled_mib": round(statistics.median(run.settled for run in runs), 1),
        }
        for name, runs in starts.items()
    }
    if options.json:
        print(json.dumps(figures))
        return
    for name, values in figures.items():
        print(name)
        for figure, value in values.items():
            print(f"  {figure:20} {value}")


if __name__ == "__main__":
    main()
