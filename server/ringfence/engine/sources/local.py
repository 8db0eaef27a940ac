"""A GGUF file of the user's own, used where it lies."""

from __future__ import annotations

import asyncio
from pathlib import Path

from ringfence.engine.catalogue import ModelCard
from ringfence.engine.errors import NotGguf, SourceFailed
from ringfence.engine.gguf import read_facts

from .protocol import Fetched, Progress, Report


class LocalSource:
    """Takes the file that a card's ``path`` names, after a look at its header."""

    name = "local"

    def offers(self, card: ModelCard) -> bool:
        """Whether the user named a file."""
        return card.path is not None

    async def fetch(self, card: ModelCard, into: Path, report: Report) -> Fetched:
        """Check the file; it stays where it is, and ``into`` is not written."""
        if card.path is None:
            raise SourceFailed("no file was named")
        try:
            facts = await asyncio.to_thread(read_facts, card.path)
        except NotGguf as error:
            raise SourceFailed(str(error)) from error
        report(Progress(self.name, "checked", facts.file_bytes, facts.file_bytes))
        return Fetched(card.path, "", self.name)
