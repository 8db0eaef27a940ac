"""``kind: auto`` finds out what listens, and believes only what one kind answers."""

from __future__ import annotations

import pytest

from ringfence.backends.create import create_backend
from ringfence.backends.detect import detect
from ringfence.backends.errors import InvalidAnswer, OutOfRing, Overloaded, Refused, Unreachable
from ringfence.backends.values import Finished
from ringfence.config.settings import BackendKind, BackendSettings
from ringfence.privacy import Endpoint, Gate, GateRefusal, Zone
from tests.fakes import FakeLlamaCpp, FakeLmStudio, FakeModel, FakeOllama, FakeServer
from tests.fakes.http import Exchange
from tests.fakes.server import Failure

from .asking import KEY, KINDS, Kind, ask, generation, hole, text_of


class Stranger(FakeServer):
    """A web server that answers every path with a page."""

    async def route(self, exchange: Exchange) -> None:
        await exchange.answer("<html>Welcome</html>", kind="text/html")


class Cheerful(FakeServer):
    """A web server that answers every path with the same JSON."""

    async def route(self, exchange: Exchange) -> None:
        await exchange.answer({"status": "ok", "version": "1"})


class Closed(FakeServer):
    """A web server that has nothing."""

    async def route(self, exchange: Exchange) -> None:
        raise Failure(404, "not found", "text/plain")


def at(url: str, zone: Zone = Zone.DEVICE, key: str | None = None) -> Endpoint:
    return Endpoint("laptop", url, zone, key)


@pytest.mark.parametrize(
    "kind", [KINDS[name] for name in ("ollama", "lmstudio", "llamacpp", "vllm", "openai")], ids=str
)
@pytest.mark.parametrize("path", ["", "/v1", "/"])
async def test_each_kind_is_recognised(kind: Kind, path: str) -> None:
    async with kind.fake() as fake:
        assert await detect(Gate(), at(fake.url + path)) == kind.name

        assert not fake.generations


async def test_older_and_larger_ones_are_recognised_too() -> None:
    async with FakeLmStudio(version=0) as old:
        assert await detect(Gate(), at(old.url)) is BackendKind.LMSTUDIO
    async with FakeLlamaCpp([FakeModel("a"), FakeModel("b")]) as router:
        assert await detect(Gate(), at(router.url)) is BackendKind.LLAMACPP


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://api.openai.com/v1", BackendKind.OPENAI),
        ("https://api.anthropic.com", BackendKind.ANTHROPIC),
        ("https://api.mistral.ai/v1", BackendKind.MISTRAL),
        ("https://codestral.mistral.ai", BackendKind.MISTRAL),
    ],
)
async def test_known_hosts_are_not_asked(url: str, kind: BackendKind) -> None:
    assert await detect(Gate(), at(url, Zone.CLOUD)) is kind


@pytest.mark.parametrize("stranger", [Stranger, Cheerful, Closed])
async def test_a_server_of_something_else_is_not_taken_for_a_model_server(
    stranger: type[FakeServer],
) -> None:
    async with stranger() as fake:
        with pytest.raises(InvalidAnswer, match="no model server"):
            await detect(Gate(), at(fake.url))


async def test_what_cannot_be_told_yet_is_said() -> None:
    async with FakeLlamaCpp() as fake:
        fake.loading = True
        with pytest.raises(Overloaded):
            await detect(Gate(), at(fake.url))
    async with KINDS["openai"].fake(api_key="other") as locked:
        with pytest.raises(Refused):
            await detect(Gate(), at(locked.url, Zone.CLOUD, KEY))
    with pytest.raises(Unreachable):
        await detect(Gate(), at(fake.url))
    with pytest.raises(OutOfRing):
        await detect(Gate(), at("http://192.0.2.1:80"))


async def test_a_backend_of_unknown_kind_works_as_what_was_found() -> None:
    async with FakeOllama() as fake:
        backend = create_backend(
            BackendSettings(name="laptop", url=(fake.url, "http://other"), zone=Zone.DEVICE), Gate()
        )
        assert backend.kind == "auto"
        (model,) = await backend.models()
        events = await ask(backend, generation(model, hole()))
        await backend.warm(model)
        await backend.probe()

        assert backend.kind == "ollama"
        assert model.zone is Zone.DEVICE
        assert text_of(events) == "return a + b"
        assert isinstance(events[-1], Finished)
        await backend.aclose()


async def test_another_kind_at_the_same_address_is_noticed() -> None:
    async with FakeOllama() as first:
        backend = create_backend(
            BackendSettings(name="laptop", url=first.url, zone=Zone.DEVICE), Gate()
        )
        await backend.probe()
        port = first.port
    async with FakeLlamaCpp(port=port):
        with pytest.raises(InvalidAnswer):
            await backend.probe()
        await backend.probe()

        assert backend.kind == "llamacpp"
        await backend.aclose()


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_each_kind_is_made_from_its_settings(kind: Kind) -> None:
    settings = BackendSettings(
        name="x", kind=BackendKind(kind.name), url="http://127.0.0.1:1", zone=Zone.DEVICE
    )
    backend = create_backend(settings, Gate())

    assert (backend.name, backend.kind, backend.zone) == ("x", kind.name, Zone.DEVICE)


def test_settings_without_a_url_make_none() -> None:
    with pytest.raises(ValueError, match="'x' has no url"):
        create_backend(BackendSettings(name="x", kind=BackendKind.OLLAMA), Gate())


async def test_nothing_beyond_the_gates_ceiling_is_ever_asked() -> None:
    settings = BackendSettings(name="far", kind=BackendKind.OPENAI, url="https://far.example")
    backend = create_backend(settings, Gate(ceiling=Zone.DEVICE))
    with pytest.raises((OutOfRing, GateRefusal)):
        await backend.probe()
    await backend.aclose()
