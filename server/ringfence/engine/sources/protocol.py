"""What every source of models can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeAlias

from ringfence.engine.catalogue import ModelCard


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a download is.

    Attributes:
        source: the source's name, as in the configuration.
        step: what is happening now, in a few words.
        done_bytes: bytes of the model that are on this disk.
        total_bytes: size of the model; 0 while it is unknown.
    """

    source: str
    step: str
    done_bytes: int
    total_bytes: int


#: Called on the event loop, often; it must return at once.
Report: TypeAlias = Callable[[Progress], None]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A model that was delivered and verified.

    Attributes:
        path: the file.
        sha256: its digest; empty for a file of the user's own, which nobody vouches for.
        source: the source that delivered it.
    """

    path: Path
    sha256: str
    source: str


class Source(Protocol):
    """A place that models can be taken from."""

    @property
    def name(self) -> str:
        """The word for this source in the configuration."""
        ...

    def offers(self, card: ModelCard) -> bool:
        """Whether this source knows where to look for the model."""
        ...

    async def fetch(self, card: ModelCard, into: Path, report: Report) -> Fetched:
        """Deliver the model as the file ``into``, verified.

        What was fetched before a failure is kept under another name and used next time;
        ``into`` itself appears complete or not at all.

        Raises:
            SourceFailed: when this source cannot deliver; another may be tried.
            NotEnoughSpace: when no source can.
        """
        ...
