"""llama-server: its facts, its way to fill holes, its failures."""

from __future__ import annotations

import pytest

from ringfence.backends.errors import (
    BackendError,
    ContextOverflow,
    InvalidAnswer,
    Overloaded,
    Refused,
    Unsupported,
)
from ringfence.backends.values import FillInTheMiddle, FinishReason, Role
from ringfence.config.settings import ModelSettings
from ringfence.privacy import Fragment, Zone
from tests.fakes import FakeLlamaCpp, FakeModel, Script
from tests.fakes.model import LLAMA

from .asking import KEY, KINDS, ask, chat, end_of, generation, hole, replace, source, text_of

KIND = KINDS["llamacpp"]
CODER = FakeLlamaCpp.default_model


async def test_the_served_model_is_known_with_its_facts() -> None:
    async with FakeLlamaCpp() as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        await backend.aclose()

    assert model.id == "qwen2.5-coder-7b-instruct-q4_k_m.gguf"
    assert (model.parameters, model.quantization) == (7_615_616_512, "Q4_K_M")
    assert (model.context, model.weights_bytes) == (8192, 4_683_087_332)
    assert model.zone is Zone.DEVICE
    assert model.roles == {Role.EDIT, Role.COMPLETION}
    assert model.fim is not None
    assert model.fim.family == "qwen2.5-coder"
    assert model.loaded


async def test_no_folder_of_the_servers_machine_is_told() -> None:
    async with FakeLlamaCpp([replace(CODER, id="C:\\Users\\me\\models\\a-q8_0.gguf")]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        await backend.aclose()

    assert model.id == "a-q8_0.gguf"
    assert model.quantization == "Q8_0"


async def test_the_users_name_and_words_hold_for_the_one_model() -> None:
    said = ModelSettings(id="my-coder", quantization="Q8_0", roles=("completion",))
    async with FakeLlamaCpp() as fake:
        backend = KIND.at(fake, said)
        (model,) = await backend.models()
        await backend.aclose()

    assert model.id == "my-coder"
    assert model.roles == {Role.COMPLETION}
    assert "Q4_K_M" in model.contradictions[0]


async def test_a_hole_is_sent_in_raw_tokens_with_limits() -> None:
    async with FakeLlamaCpp() as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        request = generation(model, hole("def f():\n    ", "\n", ("b.py", "B")), max_tokens=7)
        fake.say("    return 1")
        events = await ask(backend, request)
        body = fake.generations[0].json
        await backend.aclose()

    assert fake.generations[0].path == "/v1/completions"
    assert body["prompt"] == (
        "<|repo_name|>project\n<|file_sep|>b.py\nB\n<|file_sep|>a.py\n"
        "<|fim_prefix|>def f():\n<|fim_suffix|>\n<|fim_middle|>"
    )
    assert (body["max_tokens"], body["n_predict"]) == (7, 7)
    assert body["t_max_predict_ms"] == 10_000
    assert body["cache_prompt"] is True
    assert len(body["stop"]) <= 4
    assert text_of(events) == "return 1"


async def test_the_reused_part_of_a_prompt_is_told() -> None:
    async with FakeLlamaCpp() as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        long = "x = 1\n" * 100
        await ask(backend, generation(model, hole(long, "")))
        events = await ask(backend, generation(model, hole(long + "y", "")))
        await backend.aclose()

    usage = end_of(events).usage
    assert usage.cached_tokens is not None
    assert usage.cached_tokens > 100
    assert usage.output_tokens == 4


async def test_a_prompt_that_does_not_fit_tells_by_how_much() -> None:
    async with FakeLlamaCpp([replace(CODER, context=512)]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        with pytest.raises(ContextOverflow) as overflow:
            await ask(backend, generation(model, hole("x" * 4000, "")))
        await backend.aclose()

    assert overflow.value.context == 512
    assert (overflow.value.prompt_tokens or 0) > 1000


async def test_a_model_that_is_still_loading_is_busy_and_not_broken() -> None:
    async with FakeLlamaCpp() as fake:
        fake.loading = True
        backend = KIND.at(fake)
        with pytest.raises(Overloaded):
            await backend.probe()
        fake.loading = False
        await backend.probe()
        await backend.aclose()


async def test_health_is_open_and_the_rest_wants_the_key() -> None:
    async with FakeLlamaCpp(api_key=KEY) as fake:
        backend = KIND.at(fake, key="wrong")
        await backend.probe()
        with pytest.raises(Refused):
            await backend.models()
        await backend.aclose()


async def test_a_url_with_a_version_works_as_well() -> None:
    async with FakeLlamaCpp() as fake:
        from ringfence.backends.llamacpp import LlamaCpp
        from ringfence.privacy import Endpoint, Gate

        backend = LlamaCpp(Gate(), Endpoint("laptop", f"{fake.url}/v1/", Zone.DEVICE))
        await backend.probe()
        (model,) = await backend.models()
        assert text_of(await ask(backend, generation(model, chat()))) == "return a + b"
        await backend.aclose()

    assert {request.path for request in fake.requests} == {
        "/health",
        "/props",
        "/v1/models",
        "/v1/chat/completions",
    }


async def test_a_name_that_tells_nothing_leaves_the_vocabulary_to_tell() -> None:
    async with FakeLlamaCpp([replace(CODER, id="model.gguf")]) as fake:
        backend = KIND.at(fake)
        (first,) = await backend.models()
        asked = len(fake.requests)
        (second,) = await backend.models()
        await backend.aclose()

    assert first.fim is not None
    assert first.fim.family == "qwen2.5-coder"
    assert second == first
    assert len(fake.requests) == asked + 2


async def test_a_model_not_trained_on_holes_fills_none() -> None:
    async with FakeLlamaCpp([replace(LLAMA, fim_tokens=("<|fim_prefix|>",))]) as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        with pytest.raises(Unsupported, match="coder model"):
            await ask(backend, generation(model))
        await backend.aclose()

    assert not model.fills_in_the_middle
    assert model.roles == {Role.EDIT, Role.AGENT}
    assert not fake.generations


async def test_infill_is_used_where_only_the_server_knows_the_format() -> None:
    said = ModelSettings(id="own", roles=("completion",))
    own = replace(CODER, id="own.gguf", fim_tokens=("<own>",))
    async with FakeLlamaCpp([own]) as fake:
        backend = KIND.at(fake, said)
        (model,) = await backend.models()
        fake.say("    return 1")
        events = await ask(backend, generation(model, hole("def f():\n    ", "", ("b.py", "B"))))
        body = fake.generations[0].json
        await backend.aclose()

    assert fake.generations[0].path == "/infill"
    assert body["input_prefix"] == "def f():\n"
    assert body["input_extra"] == [{"filename": "b.py", "text": "B"}]
    assert body["n_predict"] == 50
    assert text_of(events) == "return 1"
    assert end_of(events).reason is FinishReason.STOP


async def test_infill_without_tokens_is_not_supported() -> None:
    async with FakeLlamaCpp([replace(CODER, id="own.gguf", fim_tokens=())]) as fake:
        backend = KIND.at(fake, ModelSettings(id="own", roles=("completion",)))
        (model,) = await backend.models()
        with pytest.raises(Unsupported):
            await ask(backend, generation(model))
        await backend.aclose()


async def test_tokens_are_counted_by_the_server() -> None:
    async with FakeLlamaCpp() as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        assert await backend.count_tokens(model, Fragment("x" * 40, source())) == 10
        await backend.aclose()


async def test_text_is_not_counted_farther_away_than_it_may_travel() -> None:
    async with FakeLlamaCpp() as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        far = replace(model, zone=Zone.CLOUD)
        with pytest.raises(BackendError) as refused:
            await backend.count_tokens(far, Fragment("x", source(allow=Zone.DEVICE)))
        await backend.aclose()

    assert refused.value.code == "blocked"


async def test_text_that_may_not_leave_is_not_sent_to_a_farther_model() -> None:
    private = source(allow=Zone.DEVICE)
    async with FakeLlamaCpp() as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        prompt = FillInTheMiddle(Fragment("secret", private), Fragment("", private))
        with pytest.raises(BackendError) as refused:
            await ask(backend, generation(replace(model, zone=Zone.CLOUD), prompt))
        await backend.aclose()

    assert refused.value.code == "blocked"
    assert not fake.generations


async def test_a_router_tells_all_its_models_and_loads_none_by_being_asked() -> None:
    idle = replace(LLAMA, id="llama-3.1-8b-Q4_K_M", loaded=False)
    coder = FakeModel("qwen2.5-coder-7b-Q4_K_M")
    async with FakeLlamaCpp([coder, idle]) as fake:
        backend = KIND.at(fake)
        models = {model.id: model for model in await backend.models()}
        events = await ask(backend, generation(models[coder.id]))
        asked = [request.query for request in fake.requests if request.query]
        await backend.aclose()

    assert models[coder.id].context == 8192
    assert models[idle.id].context is None
    assert models[idle.id].loaded is False
    assert asked == ["model=qwen2.5-coder-7b-Q4_K_M&autoload=false"]
    assert text_of(events) == "return a + b"


async def test_a_server_of_another_kind_is_not_believed() -> None:
    async with KINDS["ollama"].fake() as fake:
        backend = KIND.at(fake)
        with pytest.raises(InvalidAnswer):
            await backend.models()
        await backend.aclose()


async def test_a_schema_is_asked_for_as_it_is() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "default": "x"}}}
    async with FakeLlamaCpp() as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        await ask(backend, generation(model, chat(), schema=schema, seed=3, temperature=0.5))
        body = fake.generations[0].json
        await backend.aclose()

    assert body["response_format"]["json_schema"]["schema"] == schema
    assert (body["seed"], body["temperature"]) == (3, 0.5)


async def test_half_a_surrogate_in_the_text_is_no_error() -> None:
    async with FakeLlamaCpp() as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        assert text_of(await ask(backend, generation(model, hole("x = '\ud83d'", "")))) != ""
        await backend.aclose()


async def test_an_endless_answer_to_a_question_is_not_read_to_its_end() -> None:
    async with FakeLlamaCpp() as fake:
        backend = KIND.at(fake)
        (model,) = await backend.models()
        fake.script(Script(status=500, body=b"x" * 5_000_000))
        with pytest.raises(InvalidAnswer):
            await ask(backend, generation(model))
        await backend.aclose()
