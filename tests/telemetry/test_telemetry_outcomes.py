"""Outcomes in memory, and the figures made from them."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import statistics
from pathlib import Path
from typing import Any

import pytest

from ringfence.privacy import Zone
from ringfence.telemetry.counters import KEPT_DAYS, Counters
from ringfence.telemetry.outcomes import OK, Outcome, Outcomes, Stage
from ringfence.telemetry.tally import DAY_SECONDS

TODAY = 20_000 * DAY_SECONDS + 5000.0


def outcome(**facts: Any) -> Outcome:
    given: dict[str, Any] = {
        "time": TODAY,
        "stage": Stage.CALL,
        "purpose": "inline completion",
        "result": OK,
        "total_ms": 100.0,
        "backend": "laptop",
        "model": "coder",
        "zone": Zone.DEVICE,
        "first_token_ms": 50.0,
        "output_tokens": 10,
    }
    return Outcome(**given | facts)


def counters(file: Path | None = None, now: float = TODAY) -> Counters:
    return Counters(file, now=lambda: now)


def test_only_the_last_outcomes_are_kept() -> None:
    outcomes = Outcomes(kept=3)

    for number in range(5):
        outcomes.record(outcome(total_ms=number))

    assert [each.total_ms for each in outcomes.recent()] == [2, 3, 4]
    assert [each.total_ms for each in outcomes.recent(2)] == [3, 4]
    assert outcomes.recent(0) == ()
    assert len(outcomes.recent(99)) == 3


def test_listeners_hear_each_outcome_until_they_leave() -> None:
    outcomes, heard = Outcomes(), list[Outcome]()
    leave = outcomes.listen(heard.append)

    outcomes.record(outcome())
    leave()
    outcomes.record(outcome())

    assert len(heard) == 1


def test_an_outcome_has_no_place_for_code_or_for_where_it_lies() -> None:
    fields = {field.name for field in dataclasses.fields(Outcome)}

    assert fields == {
        "time", "stage", "purpose", "result", "total_ms", "detail", "file", "backend", "model",
        "zone", "attempt", "first_token_ms", "prompt_tokens", "cached_tokens", "output_tokens",
        "cached",
    }  # fmt: skip


def test_calls_are_summed_up_by_purpose_zone_and_model() -> None:
    figures = counters()
    for facts in (
        {},
        {"zone": Zone.CLOUD, "backend": "cloud", "model": "far", "attempt": 2},
        {"result": "unreachable", "first_token_ms": None, "output_tokens": None},
        {"stage": Stage.ANSWER, "cached": True},
        {"stage": Stage.ANSWER, "result": "suppressed"},
        {"purpose": "refactor"},
    ):
        figures.add(outcome(**facts))

    summary = figures.summary()

    completion = summary.purposes["inline completion"]
    assert (completion.calls, completion.ok, completion.fallbacks) == (3, 2, 1)
    assert completion.results == {OK: 2, "unreachable": 1}
    assert completion.answers == {OK: 1, "suppressed": 1}
    assert completion.output_tokens == 20
    assert summary.by_zone == {"device": 2, "cloud": 1}
    assert summary.by_model == {"coder on laptop": 2, "far on cloud": 1}
    assert summary.cached == 1
    assert summary.local_share == pytest.approx(2 / 3)
    assert summary.resident_bytes > 0


def test_without_calls_there_is_no_share() -> None:
    assert counters().summary().local_share is None


def test_percentiles_are_near_the_true_ones() -> None:
    figures = counters()
    generator = random.Random(2)
    times = [generator.lognormvariate(4, 1) for _ in range(500)]
    for time in times:
        figures.add(outcome(first_token_ms=time))

    found = figures.summary().purposes["inline completion"].first_token_ms

    true = statistics.quantiles(times, n=100)
    assert found[50] == pytest.approx(true[49], rel=0.06)
    assert found[95] == pytest.approx(true[94], rel=0.12)


def test_figures_survive_a_restart_and_several_editors_add_to_them(tmp_path: Path) -> None:
    file = tmp_path / "state" / "stats.sqlite"
    first, second = counters(file), counters(file)
    first.add(outcome())
    second.add(outcome())
    first.flush()
    second.flush()
    second.add(outcome())

    assert counters(file).summary().purposes["inline completion"].calls == 2
    assert second.summary().purposes["inline completion"].calls == 3
    assert second.summary().purposes["inline completion"].first_token_ms[50] == pytest.approx(
        50, rel=0.06
    )


def test_only_the_days_asked_for_are_shown_and_old_ones_are_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "stats.sqlite"
    old = counters(file, TODAY - (KEPT_DAYS + 1) * DAY_SECONDS)
    old.add(outcome(time=TODAY - (KEPT_DAYS + 1) * DAY_SECONDS))
    old.flush()
    figures = counters(file)
    for days in (0, 3, 10):
        figures.add(outcome(time=TODAY - days * DAY_SECONDS))

    before = figures.summary(7).by_zone
    figures.flush()

    assert before == figures.summary(7).by_zone == {"device": 2}
    assert figures.summary(365).by_zone == {"device": 3}


def test_a_failure_to_write_keeps_the_figures_and_troubles_nobody(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    figures = counters(blocked / "stats.sqlite")
    figures.add(outcome())

    figures.flush()

    assert figures.summary().by_zone == {"device": 1}


def test_a_damaged_file_costs_no_more_than_its_figures(tmp_path: Path) -> None:
    file = tmp_path / "stats.sqlite"
    file.write_bytes(b"this is no database" * 100)
    figures = counters(file)
    figures.add(outcome())

    assert figures.summary().by_zone == {"device": 1}


async def test_the_last_figures_are_written_when_the_program_ends(tmp_path: Path) -> None:
    file = tmp_path / "stats.sqlite"
    figures = counters(file)
    running = asyncio.create_task(figures.run())
    await asyncio.sleep(0)
    figures.add(outcome())

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert counters(file).summary().by_zone == {"device": 1}
