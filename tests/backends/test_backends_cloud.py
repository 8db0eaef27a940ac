"""The platforms of the cloud: OpenAI, Anthropic, Mistral, and look-alikes of the first."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from ringfence.backends.anthropic import Anthropic
from ringfence.backends.errors import ContextOverflow, Overloaded, Unsupported
from ringfence.backends.mistral import Mistral
from ringfence.backends.openai import OpenAI
from ringfence.backends.values import (
    Chat,
    ChatRole,
    FinishReason,
    Message,
    Role,
    Tool,
    ToolCall,
    Usage,
)
from ringfence.config.settings import ModelSettings
from ringfence.privacy import Endpoint, Fragment, Gate, Zone
from tests.fakes import FakeAnthropic, FakeMistral, FakeModel, FakeOpenAI, Script

from .asking import (
    KINDS,
    Kind,
    a_model,
    ask,
    chat,
    end_of,
    generation,
    hole,
    replace,
    source,
    text_of,
)

CLOUD = [KINDS[name] for name in ("openai", "anthropic", "mistral")]
READ = Tool("read", "Read a file.", {"type": "object", "properties": {"file": {"type": "string"}}})


class Step(BaseModel):
    file: str
    line: int | None = None


class Plan(BaseModel):
    steps: list[Step]
    title: str = "none"


def after_tools() -> Chat:
    """Return a conversation in which two tools were called at once."""
    calls = (ToolCall("c0", "read", '{"file": "a.py"}'), ToolCall("c1", "read", "{broken"))
    label = source()
    return Chat(
        (
            Message(ChatRole.SYSTEM, (Fragment("Be brief.", label),)),
            *chat("Look").messages,
            Message(ChatRole.ASSISTANT, (), calls),
            Message(ChatRole.TOOL, (Fragment("A", label),), tool_call_id="c0"),
            Message(ChatRole.TOOL, (Fragment("B", label),), tool_call_id="c1"),
        )
    )


@pytest.mark.parametrize("kind", CLOUD, ids=str)
async def test_cloud_models_are_in_the_cloud_whatever_their_address(kind: Kind) -> None:
    async with kind.fake() as fake:
        near = kind.backend(Gate(), Endpoint("laptop", fake.url, Zone.DEVICE), ())
        models = await near.models()
        await near.aclose()

    assert models
    assert {model.zone for model in models} == {Zone.CLOUD}


@pytest.mark.parametrize("kind", CLOUD, ids=str)
async def test_the_users_models_are_taken_with_their_words(kind: Kind) -> None:
    async with kind.fake() as fake:
        said = ModelSettings(id=fake.models[0].id, context=50_000, roles=("edit",))
        backend = kind.at(fake, said, ModelSettings(id="unlisted"))
        models = await backend.models()
        await backend.aclose()

    assert [model.id for model in models] == [said.id, "unlisted"]
    assert models[0].context == 50_000
    assert models[0].roles == {Role.EDIT}


@pytest.mark.parametrize("kind", CLOUD, ids=str)
async def test_a_schema_is_held_to_in_the_platforms_own_way(kind: Kind) -> None:
    answer = '{"steps": [{"file": "a.py", "line": 1}], "title": "x"}'
    async with kind.fake() as fake:
        fake.say(answer)
        backend = kind.at(fake)
        model = (await backend.models())[0]
        request = generation(
            model, chat(), schema=Plan.model_json_schema(), schema_name="plan", seed=7
        )
        events = await ask(backend, request)
        await backend.aclose()

    assert Plan.model_validate_json(text_of(events)).steps == [Step(file="a.py", line=1)]
    assert end_of(events).reason is FinishReason.STOP


@pytest.mark.parametrize("kind", CLOUD, ids=str)
async def test_tools_are_called_and_answered(kind: Kind) -> None:
    async with kind.fake() as fake:
        fake.script(Script(tool_calls=[("read", '{"file": "b.py"}'), ("read", "{}")]))
        backend = kind.at(fake)
        model = (await backend.models())[0]
        events = await ask(backend, generation(model, after_tools(), tools=(READ,)))
        await backend.aclose()

    calls = end_of(events).tool_calls
    assert end_of(events).reason is FinishReason.TOOL_CALLS
    assert [(call.name, call.arguments) for call in calls] == [
        ("read", '{"file": "b.py"}'),
        ("read", "{}"),
    ]
    assert len({call.id for call in calls}) == 2


@pytest.mark.parametrize("kind", CLOUD, ids=str)
async def test_an_overflow_tells_the_numbers(kind: Kind) -> None:
    async with kind.fake() as fake:
        fake.models = [replace(fake.models[0], context=1000)]
        backend = kind.at(fake)
        model = (await backend.models())[0]
        with pytest.raises(ContextOverflow) as overflow:
            await ask(backend, generation(model, chat("x" * 8000)))
        await backend.aclose()

    assert overflow.value.context == 1000
    assert (overflow.value.prompt_tokens or 0) >= 2000


async def test_a_platform_without_holes_says_so_and_is_not_asked() -> None:
    for kind in (KINDS["openai"], KINDS["anthropic"]):
        async with kind.fake() as fake:
            backend = kind.at(fake)
            with pytest.raises(Unsupported):
                await ask(backend, generation((await backend.models())[0], hole()))
            await backend.aclose()

        assert not fake.generations


async def test_models_that_do_not_chat_are_left_out() -> None:
    async with FakeOpenAI() as fake:
        backend = KINDS["openai"].at(fake)
        assert [model.id for model in await backend.models()] == ["gpt-4o"]
        await backend.aclose()


async def test_a_refusal_is_told_as_one() -> None:
    for kind in (KINDS["openai"], KINDS["anthropic"]):
        async with kind.fake() as fake:
            fake.script(Script(refusal="I cannot."))
            backend = kind.at(fake)
            events = await ask(backend, generation((await backend.models())[0], chat()))
            await backend.aclose()

        assert end_of(events).reason is FinishReason.REFUSAL


async def test_what_served_is_reported() -> None:
    async with FakeOpenAI() as fake:
        fake.script(Script(cached=3))
        backend = KINDS["openai"].at(fake)
        events = await ask(backend, generation((await backend.models())[0], chat()))
        await backend.aclose()

    assert end_of(events).served_model == "gpt-4o-2024-08-06"
    assert end_of(events).usage == Usage(1, 3, 4)


@pytest.mark.parametrize(
    ("model", "sampled"), [("gpt-4o", True), ("o3-mini", False), ("gpt-5", False)]
)
def test_openais_thinking_models_are_sent_no_sampling(model: str, sampled: bool) -> None:
    at = Endpoint("openai", "https://api.openai.com/v1", Zone.CLOUD)
    dialect = OpenAI(Gate(), at)._dialect(generation(a_model(model), chat()))

    assert dialect.limit == "max_completion_tokens"
    assert dialect.sampling is sampled
    assert dialect.path == "/chat/completions"


async def test_a_schema_with_free_names_is_not_called_strict() -> None:
    schema = {"type": "object", "additionalProperties": {"type": "integer"}}
    async with FakeOpenAI() as fake:
        backend = KINDS["openai"].at(fake)
        model = (await backend.models())[0]
        await ask(backend, generation(model, chat(), schema=schema))
        format_ = fake.generations[0].json["response_format"]["json_schema"]
        await backend.aclose()

    assert format_["strict"] is False
    assert format_["schema"] == schema


async def test_at_most_four_stops_are_sent() -> None:
    async with FakeOpenAI() as fake:
        backend = KINDS["openai"].at(fake)
        model = (await backend.models())[0]
        await ask(backend, generation(model, chat(), stop=("a", "b", "c", "d", "e")))
        await backend.aclose()

    assert fake.generations[0].json["stop"] == ["a", "b", "c", "d"]


async def test_a_url_with_another_version_is_taken_as_it_is() -> None:
    async with FakeOpenAI() as fake:
        backend = OpenAI(Gate(), Endpoint("far", f"{fake.url}/v1beta/openai", Zone.CLOUD))
        with pytest.raises(Exception, match="far"):
            await backend.probe()
        await backend.aclose()

    assert fake.requests[0].path == "/v1beta/openai/models"


async def test_anthropics_turns_are_joined_and_its_calls_answered_together() -> None:
    async with FakeAnthropic() as fake:
        backend = KINDS["anthropic"].at(fake)
        model = (await backend.models())[0]
        await ask(backend, generation(model, after_tools(), tools=(READ,), temperature=1.5))
        body: dict[str, Any] = fake.generations[0].json
        await backend.aclose()

    assert body["system"] == "Be brief."
    assert [turn["role"] for turn in body["messages"]] == ["user", "assistant", "user"]
    assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result"] * 2
    assert body["messages"][1]["content"][1]["input"] == {}
    assert body["temperature"] == 1.0


async def test_anthropics_cached_tokens_are_a_part_of_the_prompt() -> None:
    async with FakeAnthropic() as fake:
        fake.script(Script(cached=100))
        backend = KINDS["anthropic"].at(fake)
        events = await ask(backend, generation((await backend.models())[0], chat()))
        await backend.aclose()

    usage = end_of(events).usage
    assert usage.cached_tokens == 100
    assert (usage.prompt_tokens or 0) > 100
    assert usage.output_tokens == 4


async def test_an_overloaded_platform_is_busy_in_mid_stream_too() -> None:
    async with FakeAnthropic() as fake:
        fake.script(Script(error_after=1))
        backend = Anthropic(Gate(), Endpoint("far", f"{fake.url}/v1", Zone.CLOUD))
        with pytest.raises(Overloaded):
            await ask(backend, generation((await backend.models())[0], chat()))
        await backend.aclose()


async def test_mistral_fills_holes_by_its_own_route() -> None:
    async with FakeMistral() as fake:
        fake.say("    return 1")
        backend = KINDS["mistral"].at(fake)
        (model,) = await backend.models()
        request = generation(model, hole("def f():\n    ", "\nf()"), seed=1, stop=("\n\n",))
        events = await ask(backend, request)
        body = fake.generations[0].json
        await backend.aclose()

    assert fake.generations[0].path == "/v1/fim/completions"
    assert (body["prompt"], body["suffix"]) == ("def f():\n", "\nf()")
    assert (body["random_seed"], body["stop"]) == (1, ["\n\n"])
    assert text_of(events) == "return 1"
    assert model.roles == {Role.EDIT, Role.AGENT, Role.COMPLETION}


async def test_a_mistral_model_without_holes_is_not_asked() -> None:
    chatty = FakeModel("mistral-large-latest", fim_tokens=(), tools=True)
    async with FakeMistral([chatty]) as fake:
        backend = Mistral(Gate(), Endpoint("far", fake.url, Zone.CLOUD))
        (model,) = await backend.models()
        with pytest.raises(Unsupported):
            await ask(backend, generation(model, hole()))
        await backend.aclose()

    assert not model.fills_in_the_middle
