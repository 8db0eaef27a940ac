"""Fetching a model: one process at a time, each source in the user's order."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from filelock import FileLock, Timeout

from .catalogue import ModelCard
from .errors import ModelUnavailable, NotGguf, SourceFailed
from .gguf import read_facts
from .sources.protocol import Fetched, Progress, Report, Source
from .store import InstalledModel, ModelStore

#: Seconds between looks at a lock that another process holds.
_LOCK_POLL = 0.2


async def pull(
    card: ModelCard, store: ModelStore, sources: Sequence[Source], report: Report
) -> InstalledModel:
    """Return the model, fetched first if it is not on this disk.

    Raises:
        ModelUnavailable: when no source has it; the message names each and why.
        NotEnoughSpace: when the disk has no room.
    """
    found = await asyncio.to_thread(store.get, card)
    if found is not None and card.path is None:
        return found
    await asyncio.to_thread(store.folder.mkdir, parents=True, exist_ok=True)
    lock = FileLock(store.folder / f".{card.filename}.lock", thread_local=False)
    await _acquire(lock, report)
    try:
        found = await asyncio.to_thread(store.get, card)
        if found is not None and card.path is None:
            return found
        fetched = await _first_success(card, store, sources, report)
        return await asyncio.to_thread(store.record, card, fetched)
    finally:
        lock.release()


async def _acquire(lock: FileLock, report: Report) -> None:
    while True:
        with suppress(Timeout):
            lock.acquire(timeout=0)
            return
        report(Progress("", "waiting for another process that fetches it", 0, 0))
        await asyncio.sleep(_LOCK_POLL)


async def _first_success(
    card: ModelCard, store: ModelStore, sources: Sequence[Source], report: Report
) -> Fetched:
    failures = []
    for source in sources:
        if not source.offers(card):
            failures.append(f"{source.name}: does not offer it")
            continue
        try:
            fetched = await source.fetch(card, store.destination(card), report)
            await asyncio.to_thread(read_facts, fetched.path)
        except (SourceFailed, NotGguf) as failure:
            failures.append(f"{source.name}: {failure}")
            if isinstance(failure, NotGguf):
                await asyncio.to_thread(store.remove, card)
        else:
            return fetched
    tried = "\n".join(f"  - {failure}" for failure in failures) or "  - no source is configured"
    raise ModelUnavailable(
        f"{card.id} could not be fetched:\n{tried}\nCheck the network, change engine.sources in "
        "the configuration, or set engine.model to the path of a GGUF file you have."
    )
