"""Fetching a model that a server offers as one file whose digest is known."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

from ringfence.engine.errors import SourceFailed

from .partial import Partial, partial_path, require_space
from .protocol import Fetched, Progress, Report
from .web import Web


async def fetch_whole(
    web: Web,
    url: str,
    headers: Mapping[str, str],
    *,
    into: Path,
    sha256: str,
    size: int,
    source: str,
    report: Report,
) -> Fetched:
    """Download ``url`` as ``into``, continuing an earlier attempt at the same content.

    Args:
        web: downloads.
        url: the file.
        headers: sent with each request.
        into: the final name.
        sha256: digest that the file must have.
        size: bytes of the file; 0 when unknown.
        source: the source's name, for reports.
        report: told how far it is.

    Raises:
        SourceFailed: when the file cannot be had or is another one.
        NotEnoughSpace: when the disk has no room.
    """
    partial = await asyncio.to_thread(Partial, partial_path(into, sha256))
    try:
        resumed = partial.size > 0
        while True:
            await asyncio.to_thread(
                require_space, into.parent, max(0, size - partial.size), into.name
            )

            def grown(fetched: int) -> None:
                report(Progress(source, "downloading", fetched, size))

            grown(partial.size)
            await web.download(url, partial, headers, limit=size, grown=grown)
            if partial.sha256() == sha256:
                await asyncio.to_thread(partial.commit, into)
                return Fetched(into, sha256, source)
            if not resumed:
                partial.discard()
                raise SourceFailed("the file does not have its published SHA-256; it was deleted")
            # What an earlier attempt left may be what is wrong: once more from the start.
            resumed = False
            await asyncio.to_thread(partial.restart)
    finally:
        partial.close()
