"""How the engine is run on a machine, and which model suits it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.engine.catalogue import CATALOGUE, ModelCard, find
from ringfence.engine.machine import Machine
from ringfence.engine.store import InstalledModel
from ringfence.engine.tuning import (
    LEAST_CONTEXT,
    best_installed,
    default_threads,
    memory_needed,
    tune,
)

GB = 1_000_000_000

machines = st.builds(
    Machine,
    physical_cores=st.integers(1, 256),
    usable_processors=st.floats(0.1, 512),
    memory_total=st.integers(GB // 2, 512 * GB),
    memory_available=st.integers(0, 512 * GB),
    unified_gpu=st.booleans(),
)


def machine(cores: int, total: int, *, unified_gpu: bool = False) -> Machine:
    return Machine(cores, float(cores), total, total, unified_gpu)


def installed(*cards: ModelCard) -> list[InstalledModel]:
    return [InstalledModel(card, Path(card.filename), card.size_bytes) for card in cards]


@given(machines)
def test_a_core_is_left_to_the_editor_where_there_are_two(machine: Machine) -> None:
    threads = default_threads(machine)

    assert threads >= 1
    if min(machine.physical_cores, machine.usable_processors) >= 2:
        assert threads < machine.physical_cores
        assert threads < machine.usable_processors


@given(
    machine=machines,
    weights=st.integers(GB // 10, 100 * GB),
    kv=st.none() | st.integers(1, 500_000),
    trained=st.none() | st.integers(512, 200_000),
    asked=st.none() | st.integers(512, 200_000),
)
def test_the_context_is_in_bounds_and_what_was_asked_for(
    machine: Machine, weights: int, kv: int | None, trained: int | None, asked: int | None
) -> None:
    tuning = tune(
        machine,
        weights_bytes=weights,
        kv_bytes_per_token=kv,
        trained_context=trained,
        context=asked,
    )

    assert tuning.context >= LEAST_CONTEXT
    if trained is not None:
        assert tuning.context <= trained
    if asked is not None and trained is not None:
        assert tuning.context == min(asked, trained)
    assert tuning.batch <= tuning.context


def test_less_memory_means_less_context() -> None:
    def context(available: int) -> int:
        about = Machine(4, 4.0, 16 * GB, available)
        return tune(
            about, weights_bytes=4 * GB, kv_bytes_per_token=100_000, trained_context=32768
        ).context

    assert context(16 * GB) == 8192
    assert context(9 * GB + GB // 2) < 8192


def test_what_the_user_sets_is_used() -> None:
    tuning = tune(
        machine(8, 16 * GB),
        weights_bytes=GB,
        kv_bytes_per_token=None,
        trained_context=None,
        threads=3,
        context=1024,
    )

    assert (tuning.threads, tuning.context) == (3, 1024)


@given(st.integers(1, 10**11), st.integers(0, 10**6), st.integers(512, 10**5))
def test_a_model_needs_more_memory_than_its_weights(weights: int, kv: int, context: int) -> None:
    assert memory_needed(weights, kv, context) > weights + kv * context


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        (machine(2, 24 * GB), "qwen2.5-coder:0.5b"),
        (machine(4, 16 * GB), "qwen2.5-coder:3b"),
        (machine(16, 64 * GB), "qwen2.5-coder:7b"),
        (machine(16, 8 * GB), "qwen2.5-coder:3b"),
        (machine(8, 32 * GB, unified_gpu=True), "qwen2.5-coder:7b"),
    ],
    ids=["two cores", "laptop", "workstation", "little memory", "unified memory"],
)
def test_the_largest_model_that_fits_and_is_quick_is_chosen(about: Machine, expected: str) -> None:
    best = best_installed(installed(*CATALOGUE), about)

    assert best is not None
    assert best.card.id == expected


def test_a_slow_model_is_better_than_none() -> None:
    [only] = installed(find("qwen2.5-coder:7b"))

    assert best_installed([only], machine(2, 64 * GB)) == only


def test_a_model_that_does_not_fit_is_not_chosen() -> None:
    assert best_installed(installed(find("qwen2.5-coder:7b")), machine(16, 4 * GB)) is None


def test_the_users_limit_of_memory_counts() -> None:
    about = machine(16, 64 * GB)

    best = best_installed(installed(*CATALOGUE), about, limit=2 * GB)

    assert best is not None
    assert best.card.id == "qwen2.5-coder:1.5b"


def test_a_model_without_fill_in_the_middle_is_not_chosen() -> None:
    assert best_installed(installed(find("llama3.2:1b")), machine(16, 64 * GB)) is None


@given(about=machines, available=st.integers(0, 512 * GB))
def test_the_choice_does_not_change_with_what_is_free_now(about: Machine, available: int) -> None:
    later = Machine(
        about.physical_cores,
        about.usable_processors,
        about.memory_total,
        available,
        about.unified_gpu,
    )
    models = installed(*CATALOGUE)

    assert best_installed(models, about) == best_installed(models, later)
