"""Answers to keystrokes that agree with a completion given before, without a model."""

from __future__ import annotations

from dataclasses import dataclass

from cachetools import LRUCache

from ringfence.privacy import Source, Zone

from .window import Window

#: How many answers are kept, and how far back a keystroke may look for one; llama.vim's
#: figures, which suit typing bursts of 6 to 9 characters.
CAPACITY = 250
LOOK_BACK = 128

#: How much text around the cursor must be the same.
_BEFORE = 512
_AFTER = 192


@dataclass(frozen=True, slots=True)
class CachedCompletion:
    """A completion as a model gave it, with who gave it."""

    text: str
    backend: str
    model: str
    zone: Zone


#: The document, its folder and policy, and digests of the text before and after.
_Key = tuple[str, str | None, Zone, int, int]


class TypeThroughCache:
    """Completions by the text around the cursor they were made for.

    The policy of the text is a part of the key, so a text never crosses folders with
    different policies, and a change of policy makes its old entries unreachable at once.
    """

    def __init__(self) -> None:
        self._entries: LRUCache[_Key, CachedCompletion] = LRUCache(CAPACITY)

    def put(self, uri: str, source: Source, window: Window, completion: CachedCompletion) -> None:
        """Remember ``completion`` for this cursor."""
        self._entries[_key(uri, source, window.before, window.after)] = completion

    def get(self, uri: str, source: Source, window: Window) -> CachedCompletion | None:
        """Return what is left of a completion that the typing since agrees with."""
        before = window.before
        place = (uri, source.folder, source.allow)
        after = hash(window.after[:_AFTER])
        for end in range(len(before), max(-1, len(before) - LOOK_BACK - 1), -1):
            key = (*place, hash(before[max(0, end - _BEFORE) : end]), after)
            if key not in self._entries:
                continue
            found = self._entries[key]
            agreed = before[end:]
            if len(found.text) > len(agreed) and found.text.startswith(agreed):
                return CachedCompletion(
                    found.text[len(agreed) :], found.backend, found.model, found.zone
                )
        return None

    def forget(self, folder: str | None) -> None:
        """Drop every completion for text of ``folder``."""
        for key in [key for key in self._entries if key[1] == folder]:
            del self._entries[key]

    def clear(self) -> None:
        """Drop every completion."""
        self._entries.clear()


def _key(uri: str, source: Source, before: str, after: str) -> _Key:
    return (uri, source.folder, source.allow, hash(before[-_BEFORE:]), hash(after[:_AFTER]))
