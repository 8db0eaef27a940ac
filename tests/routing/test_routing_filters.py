"""What each filter removes, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from ringfence.backends.values import Role
from ringfence.config.settings import RoutingSettings
from ringfence.privacy import Zone
from ringfence.routing.breaker import Breaker
from ringfence.routing.catalogue import CatalogueView, Listing
from ringfence.routing.decision import NoRoute
from ringfence.routing.health import HealthSnapshot, ModelHealth, Traffic
from ringfence.routing.router import Facts, choose
from ringfence.routing.task import TaskKind
from tests.routing.fakes import decide, facts, model, refuse, task

GB = 10**9

CODER_Q4 = model("coder:7b-q4", "laptop")
SMALL = model("coder:0.5b", "laptop", parameters="494M")
CLOUD_FIM = model("codestral", "cloud", Zone.CLOUD, None, None, context=128_000)


def test_a_local_model_of_unknown_context_is_trusted_with_little() -> None:
    unknown = model(context=None)

    refusal = refuse(task(prompt_tokens=5000), unknown)

    assert "its context is unknown" in refusal.reason
    assert "`context`" in refusal.remedy


def test_a_role_that_was_taken_away_is_respected() -> None:
    restricted = model(roles=frozenset({Role.COMPLETION}))

    refusal = refuse(task(TaskKind.EDIT), restricted)

    assert "'edit'" in refusal.reason


@pytest.mark.parametrize(
    ("lacking", "needing", "word"),
    [
        ({"tools": False}, {"tools": 2}, "tools"),
        ({"json_schema": False}, {"json_schema": True}, "schema"),
    ],
)
def test_a_missing_ability_is_named(
    lacking: dict[str, Any], needing: dict[str, Any], word: str
) -> None:
    refusal = refuse(task(TaskKind.EDIT, **needing), model(**lacking))

    assert word in refusal.reason


@pytest.mark.parametrize("unknown", [{"tools": None}, {"json_schema": None}])
def test_an_unknown_ability_is_tried(unknown: dict[str, Any]) -> None:
    asked = task(TaskKind.AGENT, tools=2, json_schema=True)

    assert decide(asked, model(**unknown))


def test_learned_token_counts_correct_the_estimate() -> None:
    known = Facts(facts(CODER_Q4).view, RoutingSettings(), factors={("laptop", CODER_Q4.id): 2.0})

    refusal = choose(task(prompt_tokens=12_000), known)

    assert isinstance(refusal, NoRoute)
    assert "24000 tokens of prompt" in refusal.reason


def test_a_model_too_large_for_memory_names_what_would_fit() -> None:
    huge = model("llama:70b", parameters="70.6B", quantization="Q8_0", context=8192)

    refusal = refuse(task(), huge, room=57 * GB)

    assert "75.0 GB for the weights" in refusal.reason
    assert "Q5_K_M of the same 70.6B model would fit" in refusal.remedy


def test_a_model_in_memory_fits() -> None:
    assert decide(task(), model(loaded=True), room=1 * GB)


def test_models_in_memory_make_way() -> None:
    loaded = model("loaded:7b", loaded=True)
    other = model("other:7b")

    decision = decide(task(), loaded, other, room=1 * GB)

    assert set(decision.chain) == {loaded, other}


def test_a_backend_that_is_down_is_left_out_with_the_reason() -> None:
    health = HealthSnapshot(down={"laptop": "Nothing answers at 'laptop'."})

    refusal = refuse(task(), CODER_Q4, health=health)

    assert "Nothing answers" in refusal.reason
    assert "Make 'laptop' answer" in refusal.remedy


def test_a_backend_that_never_answered_is_named() -> None:
    listing = Listing("laptop", Zone.DEVICE, failure="Nothing answers at 'laptop'.", asked=True)

    answer = choose(task(), Facts(CatalogueView((listing,)), RoutingSettings()))

    assert isinstance(answer, NoRoute)
    assert "Nothing answers" in answer.reason


def test_without_any_backend_the_remedy_is_to_add_one() -> None:
    refusal = refuse(task())

    assert "no backend is configured" in refusal.reason
    assert "Add a backend" in refusal.remedy


def test_a_slow_model_makes_way_for_another_of_its_zone_but_not_of_a_farther_one() -> None:
    slow = ModelHealth(Breaker(), Traffic(10, 0, 9.0))
    health = HealthSnapshot(models={("laptop", CODER_Q4.id): slow})
    quick = task(TaskKind.COMPLETION, Zone.CLOUD, deadline=1.5)

    decision = decide(quick, CODER_Q4, SMALL, CLOUD_FIM, health=health)

    assert decision.chain == (SMALL, CODER_Q4, CLOUD_FIM)
