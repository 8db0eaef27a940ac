"""Where a completion would only disturb."""

from __future__ import annotations

from .values import Trigger
from .window import Window

#: What may stand right of the cursor without making a completion a disturbance:
#: closing brackets and quotes that editors insert by themselves, and separators.
_CLOSING = frozenset(")]}>\"'`,;: \t")


def why_suppressed(window: Window, trigger: Trigger) -> str | None:
    """Return why nothing should be offered here, or None when something should.

    An invoked completion is never suppressed: the user asked for it.
    """
    if trigger is Trigger.INVOKED:
        return None
    if any(character not in _CLOSING for character in window.line_after):
        return "there is code right of the cursor"
    if not window.before.strip() and not window.after.strip():
        return "the file is empty"
    return None
