"""Background probes: whether each server answers, asked by its own health route."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence

from ringfence.backends.errors import BackendError
from ringfence.backends.protocol import Backend
from ringfence.config.settings import HealthSettings

from .activity import Activity
from .health import Health

_log = logging.getLogger(__name__)

#: Seconds between the tries of one probe.
RETRY_SECONDS = 0.25

Recovered = Callable[[str], Awaitable[object]]


class Probes:
    """Probes every backend, each at its own pace; no probe costs a generation.

    Args:
        backends: whom to probe.
        health: where results go.
        settings: interval, time-out and retries.
        activity: probing pauses while it says that nobody works.
        recovered: awaited with the name of a backend that was down and answers again.
        sleep: waits for seconds; replaced in tests.
    """

    def __init__(
        self,
        backends: Sequence[Backend],
        health: Health,
        settings: HealthSettings,
        *,
        activity: Activity | None = None,
        recovered: Recovered | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._backends = tuple(backends)
        self._health = health
        self._settings = settings
        self._activity = activity if activity is not None else Activity()
        self._recovered = recovered
        self._sleep = sleep

    async def run(self) -> None:
        """Probe for ever; ends by cancellation."""
        async with asyncio.TaskGroup() as group:
            for backend in self._backends:
                group.create_task(self._watch(backend))

    async def probe(self, backend: Backend) -> bool:
        """Probe one backend now, with the configured retries; returns whether it answers."""
        why = ""
        for number in range(self._settings.retry_count + 1):
            if number:
                await self._sleep(RETRY_SECONDS)
            why = await self._try(backend)
            if not why:
                if self._health.probe_succeeded(backend.name) and self._recovered is not None:
                    await self._recovered(backend.name)
                return True
        self._health.probe_failed(backend.name, why)
        return False

    async def _watch(self, backend: Backend) -> None:
        while True:
            await self._activity.wait()
            await self.probe(backend)
            # Always below the interval, so that a recovery is noticed within one.
            await self._sleep(self._settings.interval_seconds * random.uniform(0.8, 1.0))  # noqa: S311

    async def _try(self, backend: Backend) -> str:
        """Return why a probe failed; the empty string when it was answered."""
        seconds = self._settings.timeout_ms / 1000
        try:
            async with asyncio.timeout(seconds):
                await backend.probe()
        except BackendError as error:
            return str(error)
        except TimeoutError:
            return f"{backend.name!r} did not answer a probe within {seconds:g} s."
        except Exception as error:
            # A bug in one kind of backend must not end the probing of the others.
            _log.exception("probing %r failed", backend.name)
            return f"Probing {backend.name!r} failed ({type(error).__name__})."
        return ""
