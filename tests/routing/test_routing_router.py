"""The decision table, and what holds for every decision."""

from __future__ import annotations

from ringfence.config.settings import PreferredModels, RoutingSettings
from ringfence.privacy import Zone
from ringfence.routing.filters import margin
from ringfence.routing.task import TaskKind
from tests.routing.fakes import decide, model, refuse, task

GB = 10**9

CODER_Q4 = model("coder:7b-q4", "laptop")
CODER_Q8 = model("coder:7b-q8", "laptop", quantization="Q8_0")
SMALL = model("coder:0.5b", "laptop", parameters="494M")
INSTRUCT_14B = model("instruct:14b", "laptop", parameters="14.8B", fills=False)
TEAM = model("team-coder:7b", "team", Zone.NETWORK)
LARGE = model("llama:70b", "team", Zone.NETWORK, "70.6B", "Q8_0", context=131_072, fills=False)
CLOUD = model("gpt", "cloud", Zone.CLOUD, None, None, context=128_000, fills=False)
CLOUD_FIM = model("codestral", "cloud", Zone.CLOUD, None, None, context=128_000)


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
