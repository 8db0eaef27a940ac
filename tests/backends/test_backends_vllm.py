"""vLLM: raw tokens, its tokenizer, and what shows that it is vLLM."""

from __future__ import annotations

import pytest

from ringfence.backends.errors import ContextOverflow, InvalidAnswer
from ringfence.backends.values import Role
from ringfence.backends.vllm import Vllm
from ringfence.privacy import Endpoint, Fragment, Gate, Zone
from tests.fakes import FakeModel, FakeOllama, FakeOpenAI, FakeVllm

from .asking import KINDS, ask, chat, generation, hole, source, text_of

KIND = KINDS["vllm"]


async def test_the_model_is_known_with_its_facts() -> None:
    async with FakeVllm([FakeModel("Qwen/Qwen2.5-Coder-7B-AWQ", context=16_384)]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        await backend.aclose()

    assert (model.context, model.quantization) == (16_384, "AWQ")
    assert model.parameters == 7_000_000_000
    assert model.zone is Zone.DEVICE
    assert Role.COMPLETION in model.roles


async def test_a_hole_is_sent_in_raw_tokens_with_its_limit() -> None:
    async with FakeVllm() as fake:
        fake.say("word " * 40)
        backend = KIND.at(fake)
        (model,) = await backend.models()
        events = await ask(backend, generation(model, hole("x", "y"), max_tokens=30))
        body = fake.generations[0].json
        await backend.aclose()

    assert body["prompt"] == "<|fim_prefix|>x<|fim_suffix|>y<|fim_middle|>"
    assert "suffix" not in body
    assert text_of(events).count("word") == 30


async def test_an_overflow_tells_the_numbers() -> None:
    async with FakeVllm([FakeModel("qwen2.5-coder", context=512)]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        with pytest.raises(ContextOverflow) as overflow:
            await ask(backend, generation(model, chat("x" * 4000)))
        await backend.aclose()

    assert (overflow.value.prompt_tokens, overflow.value.context) == (1050, 512)


async def test_a_proxy_on_loopback_that_calls_itself_vllm_counts_as_the_cloud() -> None:
    async with FakeOpenAI() as fake:
        backend = Vllm(Gate(), Endpoint("laptop", fake.url, Zone.DEVICE))
        models = await backend.models()
        await backend.aclose()

    assert {model.zone for model in models} == {Zone.CLOUD}


async def test_a_gateway_in_the_network_is_believed() -> None:
    class Gateway(FakeVllm):
        owner = "organization-owner"

    async with Gateway() as fake:
        team = Vllm(Gate(), Endpoint("team", fake.url, Zone.NETWORK))
        laptop = Vllm(Gate(), Endpoint("laptop", fake.url, Zone.DEVICE))
        (there,), (here,) = await team.models(), await laptop.models()
        await team.aclose()
        await laptop.aclose()

    assert there.zone is Zone.NETWORK
    assert here.zone is Zone.CLOUD


async def test_tokens_are_counted_where_there_is_a_tokenizer() -> None:
    text = Fragment("x" * 40, source())
    async with FakeVllm() as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        assert await backend.count_tokens(model, text) == 10
        await backend.aclose()
    async with FakeOllama() as fake:
        other = KIND.at(fake)
        assert await other.count_tokens(model, text) is None
        await other.aclose()


async def test_a_server_without_a_list_of_models_is_not_believed() -> None:
    async with KINDS["lmstudio"].fake() as fake:
        fake.api_key = None
        backend = Vllm(Gate(), Endpoint("laptop", f"{fake.url}/nowhere", Zone.DEVICE))
        with pytest.raises(InvalidAnswer):
            await backend.probe()
        await backend.aclose()
