"""Ollama: its facts, where it really computes, one load profile, no silent truncation."""

from __future__ import annotations

import logging

import pytest

from ringfence.backends.errors import ContextOverflow, InvalidAnswer, OutOfRing, Unsupported
from ringfence.backends.ollama import Ollama
from ringfence.backends.values import (
    Chat,
    ChatRole,
    FinishReason,
    Message,
    Role,
    Tool,
    ToolCall,
)
from ringfence.config.settings import ModelSettings
from ringfence.privacy import Endpoint, Fragment, Gate, Zone
from tests.fakes import FakeModel, FakeOllama, Script
from tests.fakes.model import LLAMA

from .asking import KINDS, a_model, ask, chat, end_of, generation, hole, replace, source, text_of

KIND = KINDS["ollama"]
CODER = FakeModel("qwen2.5-coder:7b")


async def test_each_model_is_known_with_its_facts() -> None:
    async with FakeOllama([CODER, replace(LLAMA, loaded=False)]) as fake:
        backend = KIND.at(fake)
        coder, llama = await backend.models()
        await backend.aclose()

    assert (coder.id, coder.family) == ("qwen2.5-coder:7b", "qwen2")
    assert (coder.parameters, coder.quantization) == (7_615_616_512, "Q4_K_M")
    assert coder.kv_bytes_per_token == 28 * 4 * (128 + 128) * 2
    assert coder.weights_bytes == 4_683_087_332
    assert (coder.loaded, llama.loaded) == (True, False)
    assert coder.roles == {Role.EDIT, Role.COMPLETION}
    assert llama.roles == {Role.EDIT, Role.AGENT}
    assert llama.kv_bytes_per_token == 128 * 1024


@pytest.mark.parametrize(
    "remote",
    [
        FakeModel("gpt-oss:120b-cloud", remote_host="https://ollama.com:443"),
        FakeModel("fast-coder:latest", remote_host="https://ollama.com:443"),
        FakeModel("alias:latest", remote_host="", remote_model="gpt-oss:120b"),
        FakeModel("glm-4.6:cloud"),
    ],
    ids=lambda model: model.id,
)
async def test_a_model_that_ollama_passes_on_is_in_the_cloud(remote: FakeModel) -> None:
    async with FakeOllama([CODER, remote]) as fake:
        backend = KIND.at(fake)
        local, passed_on = await backend.models()
        await backend.aclose()

    assert local.zone is Zone.DEVICE
    assert passed_on.zone is Zone.CLOUD
    assert "remote" in passed_on.locality


async def test_private_text_never_reaches_a_model_that_is_passed_on() -> None:
    private = source(allow=Zone.DEVICE)
    async with FakeOllama([FakeModel("alias:latest", remote_host="https://far")]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        prompt = Chat((Message(ChatRole.USER, (Fragment("secret", private),)),))
        with pytest.raises(OutOfRing):
            await ask(backend, generation(model, prompt))
        await backend.aclose()

    assert not fake.generations


async def test_an_answer_from_farther_than_was_said_is_stopped() -> None:
    async with FakeOllama([CODER]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        fake.models = [replace(CODER, remote_host="https://far")]
        with pytest.raises(OutOfRing, match="passed the request"):
            await ask(backend, generation(model))
        await backend.aclose()


async def test_a_model_that_ollama_does_not_describe_counts_as_remote() -> None:
    class Undescribed(FakeOllama):
        def _model(self, body: dict[str, object]) -> FakeModel:
            return super()._model({"model": "missing"})

    async with Undescribed([CODER]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        await backend.aclose()

    assert model.zone is Zone.CLOUD


async def test_a_template_that_inserts_is_used_with_a_suffix() -> None:
    async with FakeOllama([CODER]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        fake.say("    return 1")
        events = await ask(backend, generation(model, hole("def f():\n    ", "\nf()")))
        body = fake.generations[0].json
        await backend.aclose()

    assert (body["prompt"], body["suffix"]) == ("def f():\n", "\nf()")
    assert "raw" not in body
    assert text_of(events) == "return 1"


@pytest.mark.parametrize("related", [(), (("b.py", "B"),)], ids=["alone", "related"])
async def test_raw_tokens_are_used_where_the_template_cannot(
    related: tuple[tuple[str, str], ...],
) -> None:
    async with FakeOllama([replace(CODER, insert=bool(related))]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        await ask(backend, generation(model, hole("x", "y", *related)))
        body = fake.generations[0].json
        await backend.aclose()

    assert body["raw"] is True
    assert body["prompt"].endswith("<|fim_prefix|>x<|fim_suffix|>y<|fim_middle|>")
    assert "suffix" not in body


async def test_a_model_whose_template_inserts_needs_no_known_name() -> None:
    async with FakeOllama([FakeModel("my-own:latest")]) as fake:
        backend = KIND.at(fake, ModelSettings(id="my-own"))
        (model,) = await backend.models()
        assert text_of(await ask(backend, generation(model))) == "return a + b"
        await backend.aclose()


async def test_a_model_not_trained_on_holes_is_not_asked() -> None:
    async with FakeOllama([LLAMA]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        with pytest.raises(Unsupported):
            await ask(backend, generation(model))
        await backend.aclose()

    assert not fake.generations


async def test_a_prompt_that_does_not_fit_is_refused_and_not_cut() -> None:
    async with FakeOllama([replace(CODER, context=4096)]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        with pytest.raises(ContextOverflow):
            await ask(backend, generation(model, hole("x" * 40_000, "")))
        with pytest.raises(ContextOverflow):
            await ask(backend, generation(model, chat("x" * 40_000)))
        await backend.aclose()

    assert fake.prompts == []


async def test_one_profile_is_kept_so_that_nothing_is_loaded_twice() -> None:
    async with FakeOllama([replace(CODER, loaded=False)]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        await backend.warm(model)
        for request in (generation(model), generation(model, chat())):
            await ask(backend, request)
            await backend.models()
        windows = {(r.json["options"]["num_ctx"], r.json["keep_alive"]) for r in fake.generations}
        await backend.aclose()

    assert fake.loads == [("qwen2.5-coder:7b", 8192)]
    assert windows == {(8192, "1800s")}


async def test_a_model_that_another_program_loaded_is_used_as_it_is() -> None:
    async with FakeOllama([replace(CODER, context=16_384)]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        await ask(backend, generation(model))
        await backend.aclose()

    assert model.context == 16_384
    assert fake.loads == []


async def test_the_users_context_is_asked_for_up_to_what_the_model_knows() -> None:
    async with FakeOllama([replace(CODER, trained_context=16_384)]) as fake:
        backend = KIND.at(fake, ModelSettings(id="qwen2.5-coder:7b", context=24_000))
        (model,) = await backend.models()
        await ask(backend, generation(model))
        await backend.aclose()

    assert model.context == 16_384
    assert fake.loads == [("qwen2.5-coder:7b", 16_384)]
    assert "24000" in model.contradictions[0]


async def test_only_the_users_models_are_used_and_a_missing_one_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = (ModelSettings(id="coder"), ModelSettings(id="absent:1b"))
    async with FakeOllama([CODER, FakeModel("coder:latest")]) as fake:
        backend = KIND.at(fake, *said)
        with caplog.at_level(logging.WARNING):
            models = await backend.models()
            await backend.models()
        await backend.aclose()

    assert [model.id for model in models] == ["coder:latest"]
    assert [record.getMessage() for record in caplog.records] == [
        "'laptop' does not have the model 'absent:1b'; run: ollama pull absent:1b"
    ]


async def test_models_that_only_embed_are_left_out() -> None:
    class Embedding(FakeOllama):
        def _show(self, model: FakeModel) -> dict[str, object]:
            return super()._show(model) | {"capabilities": ["embedding"]}

    async with Embedding([CODER]) as fake:
        backend = KIND.at(fake)
        assert await backend.models() == ()
        await backend.aclose()


async def test_loading_sends_no_prompt() -> None:
    async with FakeOllama([CODER]) as fake:
        backend = Ollama(Gate(), Endpoint("laptop", fake.url, Zone.DEVICE), keep_alive=60)
        (model,) = await backend.models()
        await backend.warm(model)
        body = fake.generations[0].json
        await backend.aclose()

    assert "prompt" not in body
    assert body["keep_alive"] == "60s"


async def test_tools_and_their_results_are_spoken_in_ollamas_words() -> None:
    call = ToolCall("call_0", "read", '{"file": "a.py"}')
    turns = Chat(
        (
            *chat("Look").messages,
            Message(ChatRole.ASSISTANT, (), (call, ToolCall("call_1", "read", "{broken"))),
            Message(ChatRole.TOOL, (Fragment("text", source()),), tool_call_id="call_0"),
        )
    )
    async with FakeOllama([replace(LLAMA)]) as fake:
        fake.script(Script(tool_calls=[("read", '{"file": "b.py"}')]))
        backend = KIND.at(fake)
        (model,) = await backend.models()
        tool = Tool("read", "Read a file.", {"type": "object"})
        events = await ask(backend, generation(model, turns, tools=(tool,)))
        body = fake.generations[0].json
        await backend.aclose()

    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == {"file": "a.py"}
    assert body["messages"][1]["tool_calls"][1]["function"]["arguments"] == {}
    assert body["messages"][2]["tool_name"] == "read"
    assert end_of(events).reason is FinishReason.TOOL_CALLS
    assert end_of(events).tool_calls == (ToolCall("call_0", "read", '{"file": "b.py"}'),)


async def test_a_schema_is_its_format() -> None:
    async with FakeOllama([CODER]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        await ask(backend, generation(model, chat(), schema={"type": "object"}, seed=1))
        body = fake.generations[0].json
        await backend.aclose()

    assert body["format"] == {"type": "object"}
    assert body["options"]["seed"] == 1


async def test_an_error_under_200_is_a_failure_of_its_class() -> None:
    async with FakeOllama([CODER]) as fake:
        backend = KIND.at(fake)
        fake.script(Script(error_after=1, error="context length exceeded"), Script(error_after=0))
        with pytest.raises(ContextOverflow):
            await ask(backend, generation(a_model()))
        with pytest.raises(InvalidAnswer):
            await ask(backend, generation(a_model()))
        await backend.aclose()


async def test_a_url_with_the_path_of_an_interface_works_as_well() -> None:
    for path in ("/v1", "/api", "/"):
        async with FakeOllama([CODER]) as fake:
            backend = Ollama(Gate(), Endpoint("laptop", fake.url + path, Zone.DEVICE))
            await backend.probe()
            await backend.aclose()
