"""LM Studio: its facts, and which of its models this device computes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ringfence.backends.errors import ContextOverflow, InvalidAnswer, ModelMissing
from ringfence.backends.values import Role
from ringfence.config.settings import ModelSettings
from ringfence.privacy import Zone
from tests.fakes import FakeLmStudio, FakeModel, FakeOpenAI
from tests.fakes.model import LLAMA

from .asking import KEY, KINDS, ask, generation, hole, replace, text_of

KIND = KINDS["lmstudio"]
CODER = FakeModel("qwen2.5-coder-7b-instruct")


@pytest.mark.parametrize("version", [0, 1])
async def test_each_model_is_known_with_its_facts(version: int) -> None:
    async with FakeLmStudio([CODER, replace(LLAMA, loaded=False)], version=version) as fake:
        backend = KIND.at(fake)
        coder, llama = await backend.models()
        await backend.aclose()

    assert (coder.family, coder.quantization) == ("qwen2", "Q4_K_M")
    assert (coder.context, llama.context) == (8192, 131_072)
    assert (coder.loaded, llama.loaded) == (True, False)
    assert coder.roles == {Role.EDIT, Role.COMPLETION}
    assert llama.roles == {Role.EDIT, Role.AGENT}
    assert coder.weights_bytes == (4_683_087_332 if version else None)


async def zones(fake: FakeLmStudio, key: str | None = None) -> Sequence[Zone]:
    async with fake:
        backend = KIND.at(fake, key=key)
        models = await backend.models()
        await backend.aclose()
    return [model.zone for model in models]


async def test_models_are_local_when_lm_link_is_off() -> None:
    assert await zones(FakeLmStudio([CODER], link="offline")) == [Zone.DEVICE]


async def test_versions_before_lm_link_compute_themselves() -> None:
    assert await zones(FakeLmStudio([CODER], version=0, link=None)) == [Zone.DEVICE]


async def test_a_server_that_does_not_tell_of_lm_link_counts_as_the_cloud() -> None:
    assert await zones(FakeLmStudio([CODER], link=None)) == [Zone.CLOUD]


async def test_with_lm_link_only_what_no_linked_device_has_is_local() -> None:
    own, linked = CODER, replace(LLAMA, device="workstation")
    both = replace(CODER, id="both")

    found = await zones(
        FakeLmStudio([own, linked, both, replace(both, device="workstation")], link="online")
    )

    assert found == [Zone.DEVICE, Zone.CLOUD, Zone.CLOUD, Zone.CLOUD]


@pytest.mark.parametrize("link", ["starting", "stopping", "online"])
async def test_a_link_that_is_not_off_is_asked_model_by_model(link: str) -> None:
    assert await zones(FakeLmStudio([replace(CODER, device="far")], link=link)) == [Zone.CLOUD]


async def test_a_token_of_lm_studio_signs_in_to_its_socket() -> None:
    token = "sk-lm-abcdefgh:abcdefghijklmnopqrst"

    assert await zones(FakeLmStudio([CODER], api_key=token), token) == [Zone.DEVICE]


async def test_a_hole_is_sent_in_raw_tokens() -> None:
    async with FakeLmStudio([CODER]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        events = await ask(backend, generation(model, hole("x", "y")))
        body = fake.generations[0].json
        await backend.aclose()

    assert fake.generations[0].path == "/v1/completions"
    assert body["prompt"] == "<|fim_prefix|>x<|fim_suffix|>y<|fim_middle|>"
    assert text_of(events) == "return a + b"


async def test_a_model_is_loaded_explicitly_and_only_once() -> None:
    idle = replace(LLAMA, loaded=False)
    async with FakeLmStudio([CODER, idle]) as fake:
        backend = KIND.at(fake, ModelSettings(id=CODER.id), ModelSettings(id=idle.id, context=9000))
        for model in await backend.models():
            await backend.warm(model)
        await backend.aclose()

    assert fake.loads == [{"model": idle.id, "context_length": 9000}]


async def test_an_overflow_is_known_by_its_words() -> None:
    async with FakeLmStudio([CODER]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        with pytest.raises(ContextOverflow) as overflow:
            await ask(backend, generation(model, hole("x" * 40_000, "")))
        await backend.aclose()

    assert overflow.value.context == 8192


async def test_only_the_users_models_are_used() -> None:
    async with FakeLmStudio([CODER, LLAMA]) as fake:
        backend = KIND.at(fake, ModelSettings(id=CODER.id))
        assert [model.id for model in await backend.models()] == [CODER.id]
        await backend.aclose()


async def test_another_server_is_not_believed() -> None:
    async with FakeOpenAI() as fake:
        backend = KIND.at(fake)
        with pytest.raises((InvalidAnswer, ModelMissing)):
            await backend.probe()
        await backend.aclose()


async def test_the_key_is_never_in_an_error() -> None:
    async with FakeLmStudio([CODER], api_key="other") as fake:
        backend = KIND.at(fake, key=KEY)
        with pytest.raises(Exception, match="api_key") as refused:
            await backend.models()
        await backend.aclose()

    assert KEY not in str(refused.value)
