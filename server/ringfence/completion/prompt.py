"""From a window to a fill-in-the-middle prompt, labelled piece by piece."""

from __future__ import annotations

from ringfence.backends.values import FillInTheMiddle
from ringfence.privacy import Fragment, Source

from .window import Window

#: Characters of code per token, chosen low so that a budget in characters stays within
#: its budget in tokens: coder vocabularies reach 3 to 4 on real code.
CHARACTERS_PER_TOKEN = 3


def fill_in_the_middle(window: Window, source: Source) -> FillInTheMiddle:
    """Return the prompt for the cursor of ``window``, every piece labelled with ``source``."""
    return FillInTheMiddle(
        prefix=Fragment(window.before, source), suffix=Fragment(window.after, source)
    )


def count_upper_bound(prompt: FillInTheMiddle) -> int:
    """Return an upper estimate of the prompt's tokens, format tokens included."""
    characters = sum(len(fragment.text) for fragment in prompt.fragments())
    return characters // CHARACTERS_PER_TOKEN + 16
