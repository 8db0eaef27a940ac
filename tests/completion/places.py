"""Places in code, written with a ``|`` where the cursor stands."""

from __future__ import annotations

from ringfence.completion.window import Window, cut_window, lines_of
from ringfence.context.document import DocumentSnapshot, Position


def window_at(text: str) -> Window:
    """Return the window at the ``|`` in ``text``."""
    before, after = text.split("|")
    lines = lines_of(before + after)
    row = before.count("\n")
    column = len(before.rpartition("\n")[2])
    snapshot = DocumentSnapshot("file:///a.py", 1, "python", tuple(lines))
    return cut_window(snapshot, Position(row, column), 4000, 4000)
