"""Probes in the background."""

from __future__ import annotations

import asyncio

import pytest

from ringfence.backends.errors import (
    Unreachable,
)
from ringfence.config.settings import HealthSettings
from ringfence.routing.activity import Activity
from ringfence.routing.breaker import FAILURES_TO_OPEN
from ringfence.routing.health import Health
from ringfence.routing.probes import Probes
from tests.routing.fakes import FakeBackend, FakeClock, fail_requests


class Watch:
    """A backend under probes whose time is counted, not waited for."""

    def __init__(self, failures: int, retries: int = 2) -> None:
        self.clock = FakeClock()
        self.backend = FakeBackend(
            probe_failures=[Unreachable("laptop", "Nothing answers.") for _ in range(failures)]
        )
        self.health = Health(clock=self.clock)
        self.recovered: list[str] = []
        self.probes = Probes(
            [self.backend],
            self.health,
            HealthSettings(interval_seconds=30, timeout_ms=10, retry_count=retries),
            activity=Activity(idle_after=10_000, clock=self.clock),
            recovered=self._recovered,
            sleep=self.clock.sleep,
        )

    async def _recovered(self, name: str) -> None:
        self.recovered.append(name)


async def test_a_probe_must_fail_again_before_a_server_counts_as_down() -> None:
    watch = Watch(failures=2)

    assert await watch.probes.probe(watch.backend)

    assert watch.backend.probed == 3
    assert not watch.health.snapshot().down


async def test_a_server_whose_probes_all_fail_is_down() -> None:
    watch = Watch(failures=3)

    assert not await watch.probes.probe(watch.backend)

    assert watch.health.snapshot().down == {"laptop": "Nothing answers."}


async def test_a_probe_that_hangs_fails() -> None:
    class Hanging(FakeBackend):
        async def probe(self) -> None:
            await asyncio.Event().wait()

    watch = Watch(failures=0, retries=0)

    assert not await watch.probes.probe(Hanging())

    assert "within 0.01 s" in watch.health.snapshot().down["laptop"]


async def test_a_bug_in_a_probe_ends_no_watching() -> None:
    class Broken(FakeBackend):
        async def probe(self) -> None:
            raise RuntimeError("secret text")

    watch = Watch(failures=0, retries=0)

    assert not await watch.probes.probe(Broken())

    assert watch.health.snapshot().down == {"laptop": "Probing 'laptop' failed (RuntimeError)."}


async def test_recovery_is_noticed_within_one_interval_and_no_probe_generates() -> None:
    watch = Watch(failures=3)
    fail_requests(watch.health, Unreachable("laptop", "Gone."), times=FAILURES_TO_OPEN)
    running = asyncio.create_task(watch.probes.run())
    while not watch.health.snapshot().down:
        await asyncio.sleep(0)
    down_at = watch.clock.now

    while watch.health.snapshot().down:
        await asyncio.sleep(0)

    assert watch.clock.now - down_at <= 30
    assert watch.recovered == ["laptop"]
    assert watch.health.admits("laptop", "m")
    assert not watch.backend.asked
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_probes_pause_while_nobody_works() -> None:
    clock = FakeClock()
    activity = Activity(idle_after=100, clock=clock)
    backend = FakeBackend()
    probes = Probes(
        [backend], Health(clock=clock), HealthSettings(), activity=activity, sleep=clock.sleep
    )
    running = asyncio.create_task(probes.run())
    for _ in range(100):
        await asyncio.sleep(0)
    before = backend.probed
    assert activity.idle

    activity.touch()
    for _ in range(10):
        await asyncio.sleep(0)

    assert 1 <= before <= 5
    assert backend.probed > before
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
