"""What is wrong with a configuration file, in sentences a user can act on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

#: The way to a value: keys of mappings and indexes of lists, from the top.
KeyPath: TypeAlias = tuple[str | int, ...]


#: With an error, the defaults are used in place of the whole file.
Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """One thing that is wrong with a configuration file.

    Attributes:
        path: the file.
        line: where, from 1; None when it concerns the whole file.
        column: where in the line, from 1.
        key: the key as a dotted path, such as ``backends[0].zone``; empty for none.
        message: a sentence that names the file, the line, the key and the remedy. It
            holds no secret and no value that came from the environment.
    """

    path: Path
    line: int | None
    column: int | None
    key: str
    message: str
    severity: Severity = "error"

    def as_json(self) -> dict[str, Any]:
        """Return the problem as JSON values."""
        return {
            "severity": self.severity,
            "line": self.line,
            "column": self.column,
            "key": self.key,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Fault:
    """A problem as the parts of the loader find it, before it is put into a sentence.

    Attributes:
        path: the way to the key.
        words: what is wrong, as the second half of a sentence that begins with the line.
        place: where, when that is not the place of the key itself.
    """

    path: KeyPath
    words: str
    place: Place | None = None
    severity: Severity = "error"


def dotted(path: KeyPath) -> str:
    """Return the way to a value as people write it, such as ``backends[0].zone``."""
    written = ""
    for step in path:
        written += f"[{step}]" if isinstance(step, int) else f"{'.' if written else ''}{step}"
    return written
