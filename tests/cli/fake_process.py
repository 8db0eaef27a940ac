"""A fake model server as a process, for commands that start servers of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def fake_server(kind: str, *arguments: str) -> Iterator[str]:
    """Run a fake; yields its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes", kind, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
    finally:
        process.communicate(timeout=20)
