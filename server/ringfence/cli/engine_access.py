"""The embedded engine as commands use it, and downloads with their progress shown."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .output import Failure, gigabytes, has_style, say

if TYPE_CHECKING:
    from ringfence.config.load import Loaded
    from ringfence.config.locate import Directories
    from ringfence.engine.client import Engine
    from ringfence.engine.sources.protocol import Progress as DownloadProgress
    from ringfence.engine.sources.protocol import Report
    from ringfence.engine.store import InstalledModel

#: Share of a download after which another line is printed where no bar can be drawn.
_LINE_EVERY = 0.1


def open_engine(loaded: Loaded, directories: Directories) -> Engine:
    """Return the embedded engine by the user's settings; nothing is started.

    Downloads are no one's code, so this engine may reach the sources of models even where
    no workspace allows more than the device; the audit log has them.
    """
    from ringfence.application import make_engine
    from ringfence.privacy import AuditLog, Gate, Zone

    gate = Gate(ceiling=Zone.CLOUD, audit=AuditLog(directories.audit_log))
    return make_engine(loaded.settings, directories, gate)


def fetch(engine: Engine, model_id: str, *, quiet: bool = False) -> InstalledModel:
    """Return a model, fetched with its progress on standard error if it is not here.

    Raises:
        Failure: when it cannot be had.
    """
    from ringfence.engine.errors import EngineError

    with shown_progress(model_id, quiet=quiet) as report:
        try:
            return asyncio.run(engine.pull(model_id, report))
        except EngineError as error:
            raise Failure(error.code, str(error)) from error


@contextmanager
def shown_progress(title: str, *, quiet: bool = False) -> Iterator[Report]:
    """Show how far a download is: a bar on a terminal, lines elsewhere."""
    if quiet:
        yield lambda progress: None
    elif has_style(sys.stderr):
        yield from _bar(title)
    else:
        yield _Lines(title).report


def _bar(title: str) -> Iterator[Report]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        task = bars.add_task(title, total=None)

        def report(progress: DownloadProgress) -> None:
            words = f"{title}: {progress.step}" if progress.step else title
            total = progress.total_bytes or None
            bars.update(task, description=words, total=total, completed=progress.done_bytes)

        yield report


class _Lines:
    """One line for each step, and for each tenth of a download."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._step = ""
        self._share = 0.0

    def report(self, progress: DownloadProgress) -> None:
        """Print a line when there is something new to say."""
        share = progress.done_bytes / progress.total_bytes if progress.total_bytes else 0.0
        if progress.step == self._step and share < self._share + _LINE_EVERY:
            return
        self._step, self._share = progress.step, share
        size = ""
        if progress.total_bytes:
            size = f" ({gigabytes(progress.done_bytes)} of {gigabytes(progress.total_bytes)})"
        say(f"{self._title}: {progress.step}{size}")
