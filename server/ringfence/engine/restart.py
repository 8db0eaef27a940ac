"""When a crashed server is started again, and when it is given up."""

from __future__ import annotations

#: A server that ran this many seconds was sound: its crash starts a new count.
SOUND_AFTER = 60.0

#: Crashes in quick succession after which the server is given up.
MOST_CRASHES = 5

FIRST_DELAY = 0.25
LONGEST_DELAY = 30.0


class RestartPolicy:
    """Counts crashes in quick succession; each doubles the pause before the next start."""

    def __init__(self) -> None:
        self._crashes = 0

    def delay_after(self, ran_seconds: float) -> float | None:
        """Return how long to wait before the next start; None to give up.

        Args:
            ran_seconds: how long the server was ready before it crashed; 0 when it
                never was.
        """
        if ran_seconds >= SOUND_AFTER:
            self._crashes = 0
        self._crashes += 1
        if self._crashes >= MOST_CRASHES:
            return None
        return float(min(LONGEST_DELAY, FIRST_DELAY * 2 ** (self._crashes - 1)))
