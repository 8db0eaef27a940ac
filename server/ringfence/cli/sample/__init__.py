"""A small real project that ``ringfence try`` works on; ``$0`` marks the cursor.

The files end in ``.txt`` since the marked one is not whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

_CURSOR = "$0"


@dataclass(frozen=True, slots=True)
class Sample:
    """The project on disk.

    Attributes:
        folder: where it lies.
        file: the file with the cursor.
        text: its text, without the mark.
        line: the cursor's line, zero-based.
        column: the cursor's column in code points, zero-based.
    """

    folder: Path
    file: Path
    text: str
    line: int
    column: int


def write_sample(folder: Path) -> Sample:
    """Write the project into a folder, which is made."""
    folder.mkdir(parents=True)
    found = None
    for source in resources.files(__name__).iterdir():
        if not source.name.endswith(".txt"):
            continue
        text = source.read_text(encoding="utf-8")
        file = folder / source.name.removesuffix(".txt")
        before, mark, after = text.partition(_CURSOR)
        file.write_text(before + after, encoding="utf-8", newline="\n")
        if mark:
            line = before.count("\n")
            column = len(before) - (before.rfind("\n") + 1)
            found = Sample(folder, file, before + after, line, column)
    assert found is not None, "one file of the sample has the cursor"
    return found
