"""Time that the server adds to a model that needs none, beside a bare HTTP round trip.

Run: ``python benchmarks/added_latency.py [--edits N] [--lines N] [--json] [COMMAND …]``. A
stub llama-server answers at once. Each edit is timed as an editor feels it (a change, then a
completion), and beside it, in turn, the same request sent to the stub by a bare HTTP client.
What the server adds is the difference of the two.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from startup import receive, send

URI = "file:///bench/module.py"


class Editor:
    """An editor with one open document, which types one character after another.

    Args:
        command: the server to measure.
        stub: URL of the stub.
        lines: length of the document.
    """

    def __init__(self, command: list[str], stub: str, lines: int, folder: Path) -> None:
        config = folder / "config.yaml"
        config.write_text(
            "backends:\n"
            f"  - {{name: stub, kind: llamacpp, url: '{stub}', zone: device}}\n"
            "engine: {enabled: false}\n"
            "completion: {multiline: never}\n"
        )
        environment = {
            **os.environ,
            "RINGFENCE_CONFIG": str(config),
            "RINGFENCE_STATE": str(folder / "state"),
        }
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        self.version = 1
        self.id = 1
        self.row = lines // 2
        self.column = 0
        capabilities: dict[str, Any] = {"textDocument": {"inlineCompletion": {}}}
        self.ask(
            "initialize", {"processId": os.getpid(), "rootUri": None, "capabilities": capabilities}
        )
        self.tell("initialized", {})
        text = "".join(f"value_{number} = compute({number})\n" for number in range(self.row))
        text += "\n" + "".join(f"other_{number} = {number}\n" for number in range(self.row))
        document = {"uri": URI, "languageId": "python", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})

    def tell(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification."""
        assert self.process.stdin is not None
        send(self.process.stdin, {"method": method, "params": params})

    def ask(self, method: str, params: dict[str, Any] | None = None) -> Any:
        """Send a request and return its result."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.id += 1
        send(self.process.stdin, {"id": self.id, "method": method, "params": params})
        return receive(self.process.stdout, self.id).get("result")

    def type(self, character: str) -> float:
        """Type a character and return the seconds until its completion."""
        began = time.perf_counter()
        place = {"line": self.row, "character": self.column}
        change = {"range": {"start": place, "end": place}, "text": character}
        self.version += 1
        document = {"uri": URI, "version": self.version}
        self.tell("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})
        self.column += 1
        params = {
            "textDocument": {"uri": URI},
            "position": {"line": self.row, "character": self.column},
            "context": {"triggerKind": 1},
        }
        result = self.ask("textDocument/inlineCompletion", params)
        seconds = time.perf_counter() - began
        items = result["items"] if isinstance(result, dict) else result
        if not items:
            raise SystemExit(f"no completion: {self.ask(*_STATUS)['answers'][-1:]}")
        return seconds

    def end(self) -> None:
        """End the server."""
        self.ask("shutdown")
        self.tell("exit", {})
        self.process.wait(10)


_STATUS: tuple[str, dict[str, Any]] = (
    "workspace/executeCommand",
    {"command": "ringfence.status", "arguments": []},
)


def round_trip(connection: http.client.HTTPConnection) -> float:
    """Return the seconds of one bare request to the stub."""
    began = time.perf_counter()
    body = json.dumps({"prompt": "x" * 2000, "stream": True, "max_tokens": 48})
    connection.request("POST", "/v1/completions", body, {"Content-Type": "application/json"})
    connection.getresponse().read()
    return time.perf_counter() - began


def percentile(values: list[float], share: float) -> float:
    """Return the value below which ``share`` of ``values`` lie, in milliseconds."""
    return statistics.quantiles(values, n=1000)[int(share * 1000) - 1] * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=500)
    parser.add_argument("--lines", type=int, default=5000)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command or [sys.executable, "-m", "ringfence", "serve"]
    stub = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("stub_model.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert stub.stdout is not None
    url = stub.stdout.readline().strip()
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port)
    served: list[float] = []
    bare: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        editor = Editor(command, url, options.lines, Path(folder))
        try:
            # Each character is another one than the stub's text goes on with, so that no
            # answer comes from the cache.
            for number in range(options.edits + 20):
                seconds = editor.type("zq"[number % 2])
                if number >= 20:
                    served.append(seconds)
                    bare.append(round_trip(connection))
        finally:
            editor.end()
            stub.kill()
            stub.wait()
    shares = {"p50": 0.50, "p95": 0.95, "p99": 0.99}
    figures = {
        name: {
            "served_ms": round(percentile(served, share), 2),
            "bare_ms": round(percentile(bare, share), 2),
            "added_ms": round(percentile(served, share) - percentile(bare, share), 2),
        }
        for name, share in shares.items()
    }
    if options.json:
        print(json.dumps({"edits": options.edits, "lines": options.lines, **figures}, indent=1))
        return
    print(f"{options.edits} edits in a file of {options.lines} lines")
    for name, row in figures.items():
        print(
            f"{name}: {row['served_ms']:.2f} ms through the server, {row['bare_ms']:.2f} ms bare, "
            f"{row['added_ms']:.2f} ms added"
        )


if __name__ == "__main__":
    main()
