"""Figures for ``ringfence stats``: kept in memory at once, and on disk a little later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from .outcomes import Outcome
from .tally import DAY_SECONDS, Key, Summary, Tally, summed

if TYPE_CHECKING:
    import sqlite3

#: Days that are kept.
KEPT_DAYS = 30

#: Seconds between two writes to disk.
FLUSH_SECONDS = 20.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS counts (
    day INTEGER, stage TEXT, purpose TEXT, result TEXT, zone TEXT, backend TEXT, model TEXT,
    fallback INTEGER, cached INTEGER, count INTEGER NOT NULL, output_tokens INTEGER NOT NULL,
    PRIMARY KEY (day, stage, purpose, result, zone, backend, model, fallback, cached)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS first_tokens (
    day INTEGER, purpose TEXT, bucket INTEGER, count INTEGER NOT NULL,
    PRIMARY KEY (day, purpose, bucket)
) WITHOUT ROWID;
"""


class Counters:
    """Sums outcomes up, in memory at once and on disk a little later.

    Several editors write to one file; each adds to what is there.

    Args:
        file: where figures are kept; None keeps them in memory alone.
        now: seconds since the epoch; replaced in tests.
    """

    def __init__(self, file: Path | None, now: Callable[[], float] = time.time) -> None:
        self._file = file
        self._now = now
        self._pending = Tally()

    def add(self, outcome: Outcome) -> None:
        """Count an outcome: a few additions in memory."""
        self._pending.add(outcome)

    async def run(self) -> None:
        """Write to disk now and then, and once more at the end; ends by cancellation."""
        try:
            while True:
                await asyncio.sleep(FLUSH_SECONDS)
                tally, self._pending = self._pending, Tally()
                if not await asyncio.to_thread(self._store, tally):
                    self._pending.merge(tally)
        finally:
            self.flush()

    def flush(self) -> None:
        """Write what was counted since the last time; a failure keeps it for the next."""
        tally, self._pending = self._pending, Tally()
        if not self._store(tally):
            self._pending.merge(tally)

    def _store(self, tally: Tally) -> bool:
        """Add to what is on disk; returns whether that went well."""
        if self._file is None or not tally.counts:
            return not tally.counts
        import sqlite3

        try:
            with self._database() as database:
                _write(database, tally, self._today() - KEPT_DAYS)
        except (OSError, sqlite3.Error):
            # Figures are not worth a word to the user: a full disk tells in other ways.
            return False
        return True

    def summary(self, days: int = 7) -> Summary:
        """Return the figures of the last ``days`` days, today included."""
        import sqlite3

        first = self._today() - days + 1
        tally = Tally()
        if self._file is not None and self._file.exists():
            try:
                with self._database() as database:
                    _read(database, tally, first)
            except sqlite3.Error:
                # A file that is no database any more: show what is in memory.
                tally = Tally()
        tally.merge(self._pending)
        return summed(tally.since(first), days)

    def _today(self) -> int:
        return int(self._now() // DAY_SECONDS)

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        import sqlite3

        assert self._file is not None
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self._file, timeout=5)) as database, database:
            database.executescript(_SCHEMA)
            yield database


def _write(database: sqlite3.Connection, tally: Tally, oldest: int) -> None:
    database.executemany(
        "INSERT INTO counts VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET "
        "count = count + excluded.count, output_tokens = output_tokens + excluded.output_tokens",
        [(*key, count, tally.tokens[key]) for key, count in tally.counts.items()],
    )
    database.executemany(
        "INSERT INTO first_tokens VALUES (?,?,?,?) "
        "ON CONFLICT DO UPDATE SET count = count + excluded.count",
        [(*key, count) for key, count in tally.first_tokens.items()],
    )
    database.execute("DELETE FROM counts WHERE day < ?", (oldest,))
    database.execute("DELETE FROM first_tokens WHERE day < ?", (oldest,))


def _read(database: sqlite3.Connection, tally: Tally, first: int) -> None:
    for row in database.execute("SELECT * FROM counts WHERE day >= ?", (first,)):
        key = Key._make((*row[:7], bool(row[7]), bool(row[8])))
        tally.counts[key] += row[9]
        tally.tokens[key] += row[10]
    rows = database.execute("SELECT * FROM first_tokens WHERE day >= ?", (first,))
    for day, purpose, bucket, count in rows:
        tally.first_tokens[day, purpose, bucket] += count
