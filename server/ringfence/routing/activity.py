"""Whether anybody is working: background questions to servers pause when nobody is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

#: Seconds without any request after which background work pauses.
IDLE_SECONDS = 300.0


class Activity:
    """When the user last asked for something.

    Args:
        idle_after: seconds without a request after which nobody counts as working.
        clock: monotonic seconds; replaced in tests.
    """

    def __init__(
        self, idle_after: float = IDLE_SECONDS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._idle_after = idle_after
        self._clock = clock
        self._last = clock()
        self._woken = asyncio.Event()

    def touch(self) -> None:
        """Note that the user asked for something now."""
        self._last = self._clock()
        self._woken.set()

    @property
    def idle(self) -> bool:
        """Whether the last request is long ago."""
        return self._clock() - self._last >= self._idle_after

    async def wait(self) -> None:
        """Return at once while somebody works, else when somebody begins again."""
        while self.idle:
            self._woken.clear()
            await self._woken.wait()
