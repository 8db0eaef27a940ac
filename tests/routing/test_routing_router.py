"""The decision table, and what holds for every decision."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ringfence.backends.values import Model, Role
from ringfence.config.settings import PreferredModels, RoutingSettings
from ringfence.privacy import Zone
from ringfence.routing.catalogue import CatalogueView, Listing
from ringfence.routing.decision import Decision, NoRoute
from ringfence.routing.explain import as_json, as_text
from ringfence.routing.filters import margin, usable_context
from ringfence.routing.health import HealthSnapshot
from ringfence.routing.router import Facts, Router, choose
from ringfence.routing.task import Task, TaskKind
from tests.routing.fakes import facts, model, task

GB = 10**9

CODER_Q4 = model("coder:7b-q4", "laptop")
CODER_Q8 = model("coder:7b-q8", "laptop", quantization="Q8_0")
SMALL = model("coder:0.5b", "laptop", parameters="494M")
INSTRUCT_14B = model("instruct:14b", "laptop", parameters="14.8B", fills=False)
TEAM = model("team-coder:7b", "team", Zone.NETWORK)
LARGE = model("llama:70b", "team", Zone.NETWORK, "70.6B", "Q8_0", context=131_072, fills=False)
CLOUD = model("gpt", "cloud", Zone.CLOUD, None, None, context=128_000, fills=False)
CLOUD_FIM = model("codestral", "cloud", Zone.CLOUD, None, None, context=128_000)


def decide(the_task: Task, *models: Model, **known: Any) -> Decision:
    answer = choose(the_task, facts(*models, **known))
    assert isinstance(answer, Decision), answer
    return answer


def refuse(the_task: Task, *models: Model, **known: Any) -> NoRoute:
    answer = choose(the_task, facts(*models, **known))
    assert isinstance(answer, NoRoute), answer
    return answer


class TestTable:
    def test_a_completion_takes_about_8b_at_q4_on_the_device(self) -> None:
        decision = decide(
            task(TaskKind.COMPLETION, Zone.CLOUD), CLOUD_FIM, TEAM, SMALL, CODER_Q8, CODER_Q4
        )

        assert [each.id for each in decision.chain] == [
            "coder:7b-q4",
            "coder:7b-q8",
            "coder:0.5b",
            "team-coder:7b",
            "codestral",
        ]
        assert "closest to 8B at Q4_K_M" in decision.reason

    def test_a_completion_goes_to_the_nearest_other_model_that_fills_in(self) -> None:
        decision = decide(task(TaskKind.COMPLETION, Zone.CLOUD), INSTRUCT_14B, CLOUD_FIM, TEAM)

        assert decision.model is TEAM
        assert decision.chain == (TEAM, CLOUD_FIM)
        assert [each.filter for each in decision.rejected] == ["capability"]

    def test_a_completion_without_any_such_model_is_refused_with_a_remedy(self) -> None:
        refusal = refuse(task(TaskKind.COMPLETION), INSTRUCT_14B)

        assert "cannot fill in the middle" in refusal.reason
        assert "Qwen2.5-Coder" in refusal.remedy

    def test_a_summary_takes_about_8b_at_q4(self) -> None:
        decision = decide(task(TaskKind.SUMMARY), INSTRUCT_14B, CODER_Q8, CODER_Q4)

        assert decision.model is CODER_Q4

    def test_strict_json_takes_q8(self) -> None:
        decision = decide(task(TaskKind.SUMMARY, json_schema=True), CODER_Q4, CODER_Q8)

        assert decision.model is CODER_Q8

    def test_strict_json_takes_q4_when_q8_does_not_fit(self) -> None:
        decision = decide(
            task(TaskKind.SUMMARY, json_schema=True), CODER_Q4, CODER_Q8, room=12 * GB
        )

        assert decision.model is CODER_Q4
        assert [(each.model, each.filter) for each in decision.rejected] == [("coder:7b-q8", "fit")]

    def test_an_edit_takes_the_largest_model_of_the_device(self) -> None:
        decision = decide(task(TaskKind.EDIT, Zone.CLOUD), CLOUD, LARGE, CODER_Q4, INSTRUCT_14B)

        assert [each.id for each in decision.chain] == [
            "instruct:14b",
            "coder:7b-q4",
            "llama:70b",
            "gpt",
        ]

    def test_a_refactor_that_may_leave_takes_the_cloud_then_the_local_70b(self) -> None:
        decision = decide(task(TaskKind.REFACTOR, Zone.CLOUD), INSTRUCT_14B, LARGE, CLOUD)

        assert [each.id for each in decision.chain] == ["gpt", "llama:70b", "instruct:14b"]
        assert not decision.warning

    def test_a_private_refactor_takes_the_70b_of_the_network(self) -> None:
        decision = decide(task(TaskKind.REFACTOR, Zone.NETWORK), INSTRUCT_14B, LARGE, CLOUD)

        assert decision.model is LARGE
        assert CLOUD not in decision.chain
        assert not decision.warning

    def test_a_private_refactor_without_a_70b_is_done_with_a_warning(self) -> None:
        decision = decide(task(TaskKind.REFACTOR), CODER_Q4, INSTRUCT_14B, LARGE, CLOUD)

        assert decision.model is INSTRUCT_14B
        assert "No 70B model at Q8_0" in decision.warning

    def test_a_private_refactor_without_any_model_is_refused(self) -> None:
        refusal = refuse(task(TaskKind.REFACTOR), LARGE, CLOUD)

        assert "'device'" in refusal.reason
        assert "allow:" in refusal.remedy

    def test_an_analysis_within_the_ceiling_stays_local(self) -> None:
        decision = decide(
            task(TaskKind.ANALYSIS, Zone.CLOUD, prompt_tokens=20_000), CODER_Q4, CLOUD
        )

        assert decision.model is CODER_Q4

    def test_an_analysis_beyond_the_ceiling_goes_to_the_cloud_where_that_is_allowed(self) -> None:
        decision = decide(
            task(TaskKind.ANALYSIS, Zone.CLOUD, prompt_tokens=30_000), CODER_Q4, CLOUD
        )

        assert decision.chain == (CLOUD,)
        assert decision.rejected[0].filter == "context"
        assert decision.part_tokens is None

    def test_an_analysis_beyond_the_ceiling_is_split_where_the_cloud_is_not_allowed(self) -> None:
        long = task(TaskKind.ANALYSIS, prompt_tokens=100_000)

        decision = decide(long, CODER_Q4, SMALL, CLOUD)

        assert decision.chain == (CODER_Q4, SMALL)
        assert decision.part_tokens == 24_000 - long.output_tokens - margin(long.kind)
        assert "in parts" in decision.warning

    def test_the_fallbacks_of_a_split_hold_its_parts(self) -> None:
        cramped = model("cramped:1b", "laptop", parameters="1B", context=8192)

        decision = decide(task(TaskKind.SUMMARY, prompt_tokens=100_000), CODER_Q4, cramped)

        assert decision.chain == (CODER_Q4,)

    def test_an_edit_is_never_split(self) -> None:
        refusal = refuse(task(TaskKind.EDIT, prompt_tokens=100_000), CODER_Q4, CLOUD)

        assert "more than the ceiling" in refusal.reason
        assert "max_local_context_tokens" in refusal.remedy

    def test_a_chain_of_tools_within_the_limit_stays_near(self) -> None:
        decision = decide(task(TaskKind.AGENT, Zone.CLOUD, tools=5), CODER_Q8, CODER_Q4, CLOUD)

        assert decision.model is CODER_Q8
        assert not decision.warning

    def test_a_longer_chain_of_tools_prefers_the_cloud(self) -> None:
        decision = decide(task(TaskKind.AGENT, Zone.CLOUD, tools=6), CODER_Q8, CLOUD)

        assert decision.chain == (CLOUD, CODER_Q8)

    def test_a_longer_chain_that_stays_local_says_so(self) -> None:
        decision = decide(task(TaskKind.AGENT, tools=6), CODER_Q8, CLOUD)

        assert decision.model is CODER_Q8
        assert "6 tool calls is longer than the limit of 5" in decision.warning


class TestPreferredModels:
    reference = RoutingSettings(
        max_tool_chain_length=8,
        local=PreferredModels(
            default="llama3.1:8b", high_precision="qwen2.5:14b", quantization="Q4_K_M"
        ),
        cloud=PreferredModels(default="gpt-4o", fallback="claude-3-5-sonnet"),
    )
    llama = model("llama3.1:8b", parameters="8B", fills=False)
    llama_q8 = model("llama3.1:8b-instruct-q8_0", parameters="8B", quantization="Q8_0", fills=False)
    qwen = model("qwen2.5:14b", parameters="14.8B", fills=False)
    other = model("aaa:32b", parameters="32B", quantization="Q8_0", fills=False)
    gpt = model("gpt-4o", "cloud", Zone.CLOUD, None, None, 128_000, fills=False)
    claude = model(
        "claude-3-5-sonnet-20241022", "cloud", Zone.CLOUD, None, None, 200_000, fills=False
    )
    mini = model("gpt-4o-mini", "cloud", Zone.CLOUD, None, None, 128_000, fills=False)

    def test_the_default_does_what_must_be_quick(self) -> None:
        decision = decide(
            task(TaskKind.SUMMARY), self.other, self.qwen, self.llama, settings=self.reference
        )

        assert decision.model is self.llama
        assert "named in the configuration" in decision.reason

    def test_a_name_means_its_variants_and_the_task_picks_the_quantization(self) -> None:
        strict = task(TaskKind.SUMMARY, json_schema=True)

        decision = decide(strict, self.llama, self.llama_q8, settings=self.reference)

        assert decision.chain == (self.llama_q8, self.llama)

    def test_high_precision_does_edits(self) -> None:
        decision = decide(
            task(TaskKind.EDIT), self.other, self.llama, self.qwen, settings=self.reference
        )

        assert decision.chain[0] is self.qwen

    def test_the_cloud_default_comes_before_its_fallback_and_the_rest(self) -> None:
        decision = decide(
            task(TaskKind.REFACTOR, Zone.CLOUD),
            self.claude,
            self.mini,
            self.gpt,
            settings=self.reference,
        )

        assert [each.id for each in decision.chain] == [
            "gpt-4o",
            "claude-3-5-sonnet-20241022",
            "gpt-4o-mini",
        ]

    def test_the_local_fallback_comes_after_the_default(self) -> None:
        named = RoutingSettings(local=PreferredModels(default="gone", fallback="qwen2.5:14b"))

        decision = decide(task(TaskKind.SUMMARY), self.llama, self.qwen, settings=named)

        assert decision.chain == (self.qwen, self.llama)

    def test_the_configured_quantization_is_preferred_for_quick_tasks(self) -> None:
        named = RoutingSettings(local=PreferredModels(quantization="q8_0"))

        decision = decide(task(TaskKind.COMPLETION), CODER_Q4, CODER_Q8, settings=named)

        assert decision.model is CODER_Q8

    def test_the_limit_of_the_tool_chain_is_the_configured_one(self) -> None:
        decision = decide(
            task(TaskKind.AGENT, Zone.CLOUD, tools=8), self.gpt, self.qwen, settings=self.reference
        )

        assert decision.model is self.qwen


class TestFilters:
    def test_a_local_model_of_unknown_context_is_trusted_with_little(self) -> None:
        unknown = model(context=None)

        refusal = refuse(task(prompt_tokens=5000), unknown)

        assert "its context is unknown" in refusal.reason
        assert "`context`" in refusal.remedy

    def test_a_role_that_was_taken_away_is_respected(self) -> None:
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
        self, lacking: dict[str, Any], needing: dict[str, Any], word: str
    ) -> None:
        refusal = refuse(task(TaskKind.EDIT, **needing), model(**lacking))

        assert word in refusal.reason

    @pytest.mark.parametrize("unknown", [{"tools": None}, {"json_schema": None}])
    def test_an_unknown_ability_is_tried(self, unknown: dict[str, Any]) -> None:
        asked = task(TaskKind.AGENT, tools=2, json_schema=True)

        assert decide(asked, model(**unknown))

    def test_learned_token_counts_correct_the_estimate(self) -> None:
        known = Facts(
            facts(CODER_Q4).view, RoutingSettings(), factors={("laptop", CODER_Q4.id): 2.0}
        )

        refusal = choose(task(prompt_tokens=12_000), known)

        assert isinstance(refusal, NoRoute)
        assert "24000 tokens of prompt" in refusal.reason

    def test_a_model_too_large_for_memory_names_what_would_fit(self) -> None:
        huge = model("llama:70b", parameters="70.6B", quantization="Q8_0", context=8192)

        refusal = refuse(task(), huge, room=57 * GB)

        assert "75.0 GB for the weights" in refusal.reason
        assert "Q5_K_M of the same 70.6B model would fit" in refusal.remedy

    def test_a_model_in_memory_fits(self) -> None:
        assert decide(task(), model(loaded=True), room=1 * GB)

    def test_models_in_memory_make_way(self) -> None:
        loaded = model("loaded:7b", loaded=True)
        other = model("other:7b")

        decision = decide(task(), loaded, other, room=1 * GB)

        assert set(decision.chain) == {loaded, other}

    def test_a_backend_that_is_down_is_left_out_with_the_reason(self) -> None:
        health = HealthSnapshot(down={"laptop": "Nothing answers at 'laptop'."})

        refusal = refuse(task(), CODER_Q4, health=health)

        assert "Nothing answers" in refusal.reason
        assert "Make 'laptop' answer" in refusal.remedy

    def test_a_backend_that_never_answered_is_named(self) -> None:
        listing = Listing("laptop", Zone.DEVICE, failure="Nothing answers at 'laptop'.", asked=True)

        answer = choose(task(), Facts(CatalogueView((listing,)), RoutingSettings()))

        assert isinstance(answer, NoRoute)
        assert "Nothing answers" in answer.reason

    def test_without_any_backend_the_remedy_is_to_add_one(self) -> None:
        refusal = refuse(task())

        assert "no backend is configured" in refusal.reason
        assert "Add a backend" in refusal.remedy

    def test_a_slow_model_makes_way_for_another_of_its_zone_but_not_of_a_farther_one(self) -> None:
        from ringfence.routing.breaker import Breaker
        from ringfence.routing.health import ModelHealth, Traffic

        slow = ModelHealth(Breaker(), Traffic(10, 0, 9.0))
        health = HealthSnapshot(models={("laptop", CODER_Q4.id): slow})
        quick = task(TaskKind.COMPLETION, Zone.CLOUD, deadline=1.5)

        decision = decide(quick, CODER_Q4, SMALL, CLOUD_FIM, health=health)

        assert decision.chain == (SMALL, CODER_Q4, CLOUD_FIM)


zones = st.sampled_from(Zone)
models = st.builds(
    model,
    id=st.sampled_from(["a:1b", "b:7b", "c:70b", "d"]),
    backend=st.sampled_from(["one", "two", "three"]),
    zone=zones,
    parameters=st.sampled_from([None, "1B", "8B", "70B"]),
    quantization=st.sampled_from([None, "Q4_K_M", "Q8_0", "odd"]),
    context=st.sampled_from([None, 2048, 8192, 200_000]),
    fills=st.booleans(),
    tools=st.sampled_from([None, True, False]),
    json_schema=st.sampled_from([None, True, False]),
    loaded=st.sampled_from([None, True, False]),
    roles=st.frozensets(st.sampled_from(Role)),
)
model_sets = st.lists(models, max_size=8, unique_by=lambda each: (each.backend, each.id))
tasks = st.builds(
    Task,
    kind=st.sampled_from(TaskKind),
    prompt_tokens=st.integers(0, 300_000),
    output_tokens=st.integers(1, 4000),
    allow=zones,
    tools=st.integers(0, 12),
    json_schema=st.booleans(),
)
healths = st.builds(
    HealthSnapshot, down=st.dictionaries(st.sampled_from(["one", "two"]), st.just("It is down."))
)
rooms = st.sampled_from([None, 0, 2 * GB, 60 * GB])
routing = st.builds(
    RoutingSettings,
    local=st.builds(
        PreferredModels,
        default=st.sampled_from([None, "a:1b", "c:70b"]),
        high_precision=st.sampled_from([None, "c:70b"]),
    ),
)


@settings(max_examples=300, deadline=None)
@given(tasks, model_sets, healths, rooms, routing)
def test_every_decision_stays_in_the_ring_and_accounts_for_every_model(
    the_task: Task,
    served: list[Model],
    health: HealthSnapshot,
    room: int | None,
    configured: RoutingSettings,
) -> None:
    known = facts(*served, settings=configured, health=health, room=room)

    answer = choose(the_task, known)

    chain = answer.chain if isinstance(answer, Decision) else ()
    assert all(each.zone <= the_task.allow for each in chain)
    assert len(set(chain)) == len(chain)
    assert all(each.why and each.filter for each in answer.rejected)
    accounted = {(each.backend, each.model) for each in answer.rejected}
    accounted |= {(each.backend, each.id) for each in chain}
    assert accounted >= {(each.backend, each.id) for each in served}
    assert answer.reason
    assert choose(the_task, known) == answer
    if isinstance(answer, Decision):
        prompt = answer.part_tokens if answer.part_tokens is not None else the_task.prompt_tokens
        for each in chain:
            window = usable_context(each, configured.max_local_context_tokens)
            assert prompt + the_task.output_tokens + margin(the_task.kind) <= window
    else:
        assert answer.remedy


@settings(max_examples=100, deadline=None)
@given(tasks, model_sets)
def test_an_explanation_names_every_rejected_model(the_task: Task, served: list[Model]) -> None:
    answer = Router(lambda: facts(*served)).decide(the_task)

    text, values = as_text(the_task, answer), as_json(the_task, answer)

    assert json.loads(json.dumps(values)) == values
    for each in answer.rejected:
        assert each.why in text
        assert each.model in text
    assert answer.reason == values["reason"]
