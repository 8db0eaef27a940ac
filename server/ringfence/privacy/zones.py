"""Where a computation happens, from the nearest place to the farthest."""

from __future__ import annotations

import enum


class Zone(enum.IntEnum):
    """A ring around the user; a larger value is farther away.

    Zones are ordered, so ``min`` of several zones is the strictest of them and
    ``zone <= policy.allow`` reads as "inside the ring".
    """

    DEVICE = 0
    NETWORK = 1
    CLOUD = 2

    @property
    def label(self) -> str:
        """The word used for this zone in configuration files and messages."""
        return self.name.lower()

    @classmethod
    def parse(cls, word: str) -> Zone:
        """Return the zone that a configuration word names.

        Raises:
            ValueError: if the word names no zone.
        """
        for zone in cls:
            if zone.label == word.strip().lower():
                return zone
        names = ", ".join(zone.label for zone in cls)
        raise ValueError(f"{word!r} is not a zone; use one of: {names}")
