"""Answers that must satisfy a schema."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel, Field

from ringfence.backends.errors import InvalidAnswer, Refused
from ringfence.backends.values import Chat, FinishReason, Generation, Message, TextDelta
from ringfence.config.settings import ValidationSettings
from ringfence.privacy import TEMPLATE, Zone
from ringfence.routing.catalogue import Catalogue
from ringfence.routing.decision import Decision
from ringfence.routing.execute import Executor
from ringfence.routing.health import Health
from ringfence.routing.structured import Question, Structured, ask_structured, json_in
from ringfence.telemetry.outcomes import Outcomes
from tests.routing.fakes import FakeBackend, ScriptStep, answer, chat, model

FIRST = model("first", "laptop")
SECOND = model("second", "desk")


class Plan(BaseModel):
    """What a model should answer."""

    action: Literal["rename", "move"]
    symbol: str = Field(min_length=1)


VALID = '{"action": "rename", "symbol": "total"}'
INVALID = '{"action": "delete", "symbol": "a_secret_name"}'


class Bench:
    def __init__(
        self,
        first: list[list[ScriptStep]],
        second: list[list[ScriptStep]] | None = None,
        **settings: float,
    ) -> None:
        self.first = FakeBackend("laptop", served=[FIRST], scripts=first)
        self.second = FakeBackend("desk", served=[SECOND], scripts=second or [])
        self.catalogue = Catalogue([self.first, self.second])
        self.decision = Decision((FIRST, SECOND), "because")
        self.settings = ValidationSettings.model_validate(settings)

    async def ask(self, prompt: Chat | None = None) -> Structured[Plan]:
        await self.catalogue.refresh()
        executor = Executor(self.catalogue, Health(), Outcomes())
        question = Question(prompt or chat("Plan it."), "plan", 200, 30.0)
        return await ask_structured(executor, self.decision, Plan, question, self.settings)

    @property
    def asked(self) -> list[Generation]:
        return self.first.asked


async def test_a_valid_answer_is_returned_with_its_model() -> None:
    bench = Bench([answer(VALID)])

    result = await bench.ask()

    assert result.value == Plan(action="rename", symbol="total")
    assert (result.model, result.tries) == (FIRST, 1)
    assert bench.asked[0].schema == Plan.model_json_schema()
    assert bench.asked[0].schema_name == "Plan"


async def test_an_invalid_answer_is_asked_for_again_cooler_with_a_new_seed_and_the_error() -> None:
    bench = Bench([answer(INVALID), answer("not JSON"), answer(VALID)])

    result = await bench.ask()

    assert result.tries == 3
    assert [each.temperature for each in bench.asked] == pytest.approx([0.3, 0.2, 0.1])
    assert len({each.seed for each in bench.asked}) == 3
    again = bench.asked[1].prompt
    assert isinstance(again, Chat)
    assert INVALID in again.messages[1].text
    assert "action: Input should be 'rename' or 'move'" in again.messages[2].text


async def test_the_feedback_travels_no_farther_than_the_prompt() -> None:
    bench = Bench([answer(INVALID), answer(VALID)])

    await bench.ask(chat("Plan it.", allow=Zone.NETWORK))

    again = bench.asked[1]
    assert again.clearance.zone is Zone.NETWORK
    assert again.clearance.folders == ("/w",)
    labels = [each.source for each in again.prompt.fragments() if "secret_name" in each.text]
    assert labels
    assert TEMPLATE not in labels


async def test_an_answer_that_was_cut_off_is_a_failure_even_when_it_parses() -> None:
    bench = Bench([answer(VALID, FinishReason.LENGTH), answer(VALID)])

    result = await bench.ask()

    assert result.tries == 2
    again = bench.asked[1].prompt
    assert isinstance(again, Chat)
    assert "cut off at 200 tokens" in again.messages[-1].text


async def test_a_stream_that_breaks_off_is_asked_for_again() -> None:
    broken: list[ScriptStep] = [TextDelta('{"act'), InvalidAnswer("laptop", "It broke off.")]
    bench = Bench([broken, answer(VALID)])

    assert (await bench.ask()).tries == 2


async def test_after_the_configured_retries_the_next_model_is_asked_afresh() -> None:
    bench = Bench([answer(INVALID) for _ in range(3)], [answer(VALID)], max_retries_on_failure=2)

    result = await bench.ask()

    assert (result.model, result.tries) == (SECOND, 4)
    assert len(bench.asked) == 3
    afresh = bench.second.asked[0]
    assert isinstance(afresh.prompt, Chat)
    assert len(afresh.prompt.messages) == 1
    assert afresh.temperature == pytest.approx(0.3)


async def test_a_refusal_goes_to_the_next_model_at_once() -> None:
    bench = Bench([answer("I cannot.", FinishReason.REFUSAL)], [answer(VALID)])

    result = await bench.ask()

    assert (result.model, result.tries) == (SECOND, 2)


async def test_a_model_that_could_not_be_asked_stays_skipped() -> None:
    bench = Bench(
        [[Refused("laptop", "No.")]], [answer(INVALID), answer(VALID)], max_retries_on_failure=1
    )

    result = await bench.ask()

    assert (result.model, result.tries) == (SECOND, 2)
    assert len(bench.first.asked) == 1


async def test_when_no_model_gives_a_valid_answer_the_refusal_is_clear_and_holds_none_of_it() -> (
    None
):
    bench = Bench([answer(INVALID)], [answer(INVALID)], max_retries_on_failure=0)

    with pytest.raises(InvalidAnswer, match="No model gave a valid Plan in 2 tries") as caught:
        await bench.ask()

    assert "secret_name" not in str(caught.value)
    assert "nothing was changed" in str(caught.value)


async def test_without_strict_json_the_schema_is_told_in_words() -> None:
    bench = Bench([answer(VALID)], strict_json=False)

    await bench.ask()

    prompt = bench.asked[0].prompt
    assert bench.asked[0].schema is None
    assert isinstance(prompt, Chat)
    first: Message = prompt.messages[0]
    assert '"action"' in first.text
    assert bench.asked[0].clearance.zone is Zone.DEVICE


@pytest.mark.parametrize(
    "text",
    [
        VALID,
        f"  {VALID}\n",
        f"```json\n{VALID}\n```",
        f"Here is the plan:\n```\n{VALID}\n```\nDone.",
        f"The plan is {VALID}.",
    ],
)
def test_json_is_found_behind_fences_and_words(text: str) -> None:
    assert Plan.model_validate_json(json_in(text)).symbol == "total"
