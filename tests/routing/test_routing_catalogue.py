"""The catalogue: asked, cached, refreshed, and wary."""

from __future__ import annotations

import asyncio

import pytest

from ringfence.backends.errors import Unreachable
from ringfence.privacy import Zone
from ringfence.routing.activity import Activity
from ringfence.routing.catalogue import LOCALITY_LIFETIME_SECONDS, Catalogue
from tests.routing.fakes import FakeBackend, FakeClock, model


def backends() -> tuple[FakeBackend, FakeBackend]:
    return (
        FakeBackend("laptop", Zone.DEVICE, [model("near", "laptop")]),
        FakeBackend("cloud", Zone.CLOUD, [model("far", "cloud", Zone.CLOUD)]),
    )


async def test_all_backends_are_asked_and_kept_in_the_configured_order() -> None:
    near, far = backends()
    catalogue = Catalogue([far, near])

    view = await catalogue.refresh()

    assert [each.id for each in view.models] == ["far", "near"]
    assert catalogue.view.find("laptop", "near") == model("near", "laptop")


async def test_a_failure_costs_no_other_backend() -> None:
    near, far = backends()
    far.served = Unreachable("cloud", "Nothing answers at 'cloud'.")
    broken = FakeBackend("broken", served=RuntimeError("secret text"))

    view = await Catalogue([broken, far, near]).refresh()

    assert [each.id for each in view.models] == ["near"]
    assert [each.failure for each in view.listings] == [
        "listing the models of 'broken' failed (RuntimeError)",
        "Nothing answers at 'cloud'.",
        "",
    ]


async def test_a_backend_that_hangs_is_given_up() -> None:
    near, _ = backends()

    class Hanging(FakeBackend):
        async def models(self) -> tuple[()]:
            await asyncio.Event().wait()
            return ()

    hanging = Hanging("slow")

    view = await Catalogue([hanging, near], timeout=0.01).refresh()

    assert "did not list its models" in view.listings[0].failure
    assert view.listings[1].models


async def test_callers_that_ask_together_cause_one_question() -> None:
    near, _ = backends()
    catalogue = Catalogue([near])

    await asyncio.gather(*(catalogue.refresh() for _ in range(5)))

    assert near.listed == 1


async def test_what_was_known_survives_a_failure() -> None:
    near, _ = backends()
    catalogue = Catalogue([near])
    await catalogue.refresh()
    near.served = Unreachable("laptop", "Gone.")

    view = await catalogue.refresh()

    assert [each.id for each in view.models] == ["near"]
    assert view.models[0].zone is Zone.DEVICE
    assert view.listings[0].failure == "Gone."


async def test_a_locality_that_cannot_be_verified_any_more_counts_as_remote() -> None:
    near, _ = backends()
    clock = FakeClock()
    catalogue = Catalogue([near], clock=clock)
    await catalogue.refresh()
    near.served = Unreachable("laptop", "Gone.")
    clock.now += LOCALITY_LIFETIME_SECONDS + 1

    view = await catalogue.refresh()

    assert view.models[0].zone is Zone.CLOUD


async def test_a_model_that_moves_is_noticed(caplog: pytest.LogCaptureFixture) -> None:
    near, _ = backends()
    catalogue = Catalogue([near])
    await catalogue.refresh()
    near.served = [model("near", "laptop", Zone.CLOUD)]

    view = await catalogue.refresh()

    assert view.models[0].zone is Zone.CLOUD
    assert "'device' and is now in 'cloud'" in view.listings[0].moves[0]
    assert view.listings[0].moves[0] in caplog.text


async def test_no_model_is_nearer_than_its_backend_was_declared() -> None:
    claimed = FakeBackend("team", Zone.NETWORK, [model("near", "team", Zone.DEVICE)])

    view = await Catalogue([claimed]).refresh()

    assert view.models[0].zone is Zone.NETWORK


async def test_a_view_within_a_zone_does_not_name_the_rest() -> None:
    near, far = backends()
    near.served = [model("near", "laptop"), model("near:cloud", "laptop", Zone.CLOUD)]
    catalogue = Catalogue([near, far])
    await catalogue.refresh()

    view = catalogue.view.within(Zone.DEVICE)

    assert [listing.backend for listing in view.listings] == ["laptop"]
    assert [each.id for each in view.models] == ["near"]


async def test_contradictions_are_kept() -> None:
    said = "The configuration says Q8_0, the server says Q4_K_M."
    odd = FakeBackend("laptop", served=[model(contradictions=(said,))])

    view = await Catalogue([odd]).refresh()

    assert view.contradictions == (said,)


async def test_readiness_waits_for_the_near_backends_only() -> None:
    near, far = backends()
    catalogue = Catalogue([near, far])
    waiting = asyncio.create_task(catalogue.ready(within=Zone.DEVICE))
    await asyncio.sleep(0)
    assert not waiting.done()

    await catalogue.refresh("laptop")

    await waiting
    assert not far.listed


async def test_a_backend_that_contradicts_the_catalogue_is_asked_again() -> None:
    near, far = backends()
    asked_again = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if near.listed >= 2:
            asked_again.set()
        await asyncio.Event().wait()

    catalogue = Catalogue([near, far], sleep=sleep)
    running = asyncio.create_task(catalogue.run())
    await catalogue.ready()

    catalogue.expire("laptop")
    await asked_again.wait()

    assert (near.listed, far.listed) == (2, 1)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def test_refreshing_pauses_while_nobody_works() -> None:
    near, _ = backends()
    clock = FakeClock()
    activity = Activity(idle_after=100, clock=clock)
    slept = asyncio.Event()

    async def sleep(seconds: float) -> None:
        clock.now += seconds
        slept.set()
        await asyncio.sleep(0)

    catalogue = Catalogue([near], activity=activity, interval=1000, clock=clock, sleep=sleep)
    running = asyncio.create_task(catalogue.run())
    await slept.wait()
    for _ in range(20):
        await asyncio.sleep(0)
    assert near.listed == 1

    slept.clear()
    activity.touch()
    await slept.wait()

    assert near.listed == 2
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
