"""Time of a one-character change in a large file, beside pygls' own document.

Run: ``python benchmarks/document_changes.py``; ``--json`` prints the figures as JSON.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from typing import Any

from lsprotocol import types
from pygls.workspace import PositionCodec, TextDocument

from ringfence.context.document import LineDocument
from ringfence.context.position_encoding import PositionEncoding

LINE = "    value = compute(first, second)  # what a line of code looks like: é😀\n"


def change_line_document(document: LineDocument, line: int) -> None:
    """Type one character the way the server applies it."""
    place = document.position(line, 10, PositionEncoding.UTF16)
    document.replace(place, place, "x")


def change_pygls_document(document: TextDocument, line: int) -> None:
    """Type the same character into pygls' document."""
    place = types.Position(line, 10)
    change = types.TextDocumentContentChangePartial(range=types.Range(place, place), text="x")
    document.apply_change(change)


def change_many(documents: tuple[LineDocument, range], _: int) -> None:
    """Type one character at each of many cursors."""
    document, cursors = documents
    for line in cursors:
        change_line_document(document, line)


def measure(change: Callable[[Any, int], None], document: Any, lines: int, runs: int) -> float:
    """Return the median time of one change, in milliseconds."""
    times = []
    for run in range(runs):
        line = run * 7919 % lines
        start = time.perf_counter()
        change(document, line)
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lines", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    text = LINE * options.lines
    ours = LineDocument("file:///a.py", text)
    codec = PositionCodec(types.PositionEncodingKind.Utf16)
    theirs = TextDocument("file:///a.py", source=text, position_codec=codec)

    line_ms = measure(change_line_document, ours, options.lines, 2000)
    pygls_ms = measure(change_pygls_document, theirs, options.lines, 20)
    line_ms_again = measure(change_line_document, ours, options.lines, 2000)
    line_ms = max(line_ms, line_ms_again)

    cursors = range(0, options.lines, max(1, options.lines // 100))
    batch_ms = measure(change_many, (ours, cursors), options.lines, 20)
    start = time.perf_counter()
    ours.snapshot()
    snapshot_ms = (time.perf_counter() - start) * 1e3

    figures = {
        "lines": options.lines,
        "change_ms": round(line_ms, 5),
        "pygls_change_ms": round(pygls_ms, 3),
        "ratio": round(pygls_ms / line_ms),
        "hundred_cursors_ms": round(batch_ms, 3),
        "snapshot_ms": round(snapshot_ms, 3),
    }
    if options.json:
        print(json.dumps(figures))
        return
    for name, value in figures.items():
        print(f"{name:20} {value}")


if __name__ == "__main__":
    main()
