"""Text documents: a mutable list of lines that edits cost microseconds in, and frozen snapshots."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Position(NamedTuple):
    """A place in a document: both zero-based, ``column`` in code points."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class DocumentSnapshot:
    """A document as it was at one moment.

    Attributes:
        uri: the document's URI as the editor sends it.
        version: the editor's version number, if it sends one.
        language: the language identifier of LSP, such as ``python``.
        lines: the lines with their line endings; the last one has none.
    """

    uri: str
    version: int | None
    language: str
    lines: tuple[str, ...]
