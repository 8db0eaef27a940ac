"""What tests of backends are made from: backends at fakes, prompts, generations."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from ringfence.backends.anthropic import Anthropic
from ringfence.backends.fim import FORMATS
from ringfence.backends.llamacpp import LlamaCpp
from ringfence.backends.lmstudio import LmStudio
from ringfence.backends.mistral import Mistral
from ringfence.backends.ollama import Ollama
from ringfence.backends.openai import OpenAI
from ringfence.backends.protocol import Backend
from ringfence.backends.values import (
    Chat,
    ChatRole,
    Event,
    FillInTheMiddle,
    Finished,
    Generation,
    Message,
    Model,
    Role,
    TextDelta,
)
from ringfence.backends.vllm import Vllm
from ringfence.config.settings import ModelSettings
from ringfence.privacy import Endpoint, Fragment, Gate, Source, SourceKind, Zone
from tests.fakes import (
    FakeAnthropic,
    FakeLlamaCpp,
    FakeLmStudio,
    FakeMistral,
    FakeOllama,
    FakeOpenAI,
    FakeServer,
    FakeVllm,
)

KEY = "sk-this-is-a-secret-key"


@dataclass(frozen=True)
class Kind:
    """A kind of server: its fake, its backend, and what it can be asked."""

    name: str
    fake: Callable[..., FakeServer]
    backend: Callable[..., Backend]
    zone: Zone = Zone.DEVICE
    fills: bool = True

    def __str__(self) -> str:
        return self.name

    def at(self, fake: FakeServer, *models: ModelSettings, key: str | None = None) -> Backend:
        """Return a backend that speaks to ``fake``."""
        endpoint = Endpoint("laptop", fake.url, self.zone, key)
        return self.backend(Gate(), endpoint, models)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("llamacpp", FakeLlamaCpp, LlamaCpp),
        Kind("ollama", FakeOllama, Ollama),
        Kind("lmstudio", FakeLmStudio, LmStudio),
        Kind("vllm", FakeVllm, Vllm),
        Kind("openai", FakeOpenAI, OpenAI, Zone.CLOUD, fills=False),
        Kind("mistral", FakeMistral, Mistral, Zone.CLOUD),
        Kind("anthropic", FakeAnthropic, Anthropic, Zone.CLOUD, fills=False),
    )
}


def source(file: str = "a.py", allow: Zone = Zone.CLOUD) -> Source:
    """Return the label of a file that may travel anywhere."""
    return Source(SourceKind.DOCUMENT, allow=allow, folder="/project", file=file)


def hole(
    prefix: str = "def add(a, b):\n    ", suffix: str = "\n", *related: tuple[str, str]
) -> FillInTheMiddle:
    """Return a hole, with related files as pairs of a name and a text."""
    return FillInTheMiddle(
        Fragment(prefix, source()),
        Fragment(suffix, source()),
        tuple(Fragment(text, source(name)) for name, text in related),
    )


def chat(*turns: str) -> Chat:
    """Return a conversation that begins with the user and takes turns."""
    roles = (ChatRole.USER, ChatRole.ASSISTANT)
    return Chat(
        tuple(
            Message(roles[number % 2], (Fragment(text, source()),))
            for number, text in enumerate(turns or ("Why?",))
        )
    )


def a_model(name: str = "qwen2.5-coder:7b", **facts: Any) -> Model:
    """Return a model that fills holes in Qwen's tokens."""
    values: dict[str, Any] = {
        "id": name,
        "backend": "laptop",
        "zone": Zone.DEVICE,
        "locality": "",
        "roles": frozenset(Role),
        "fim": FORMATS["qwen2.5-coder"],
        "fills_in_the_middle": True,
    }
    return Model(**(values | facts))


def generation(
    model: Model, prompt: FillInTheMiddle | Chat | None = None, **facts: Any
) -> Generation:
    """Return a request, by default for a hole."""
    values: dict[str, Any] = {"purpose": "test", "max_tokens": 50, "deadline": 10.0}
    return Generation(model=model, prompt=prompt or hole(), **(values | facts))


async def usual(kind: Kind, backend: Backend, **facts: Any) -> Generation:
    """Return a request that this kind can serve, to the first model that it serves."""
    model = (await backend.models())[0]
    return generation(model, hole() if kind.fills else chat(), **facts)


async def ask(backend: Backend, request: Generation) -> list[Event]:
    """Return all events of a generation."""
    async with aclosing(backend.generate(request)) as events:
        return [event async for event in events]


async def take(events: AsyncGenerator[Event, None], count: int) -> list[Event]:
    """Return the next ``count`` events."""
    return [await anext(events) for _ in range(count)]


def text_of(events: list[Event]) -> str:
    """Return the text of a generation."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def end_of(events: list[Event]) -> Finished:
    """Return the last event, and check that it is the only one of its kind."""
    ends = [event for event in events if isinstance(event, Finished)]
    assert len(ends) == 1
    assert events[-1] is ends[0]
    return ends[0]


__all__ = [
    "KEY",
    "KINDS",
    "Kind",
    "a_model",
    "ask",
    "chat",
    "end_of",
    "generation",
    "hole",
    "replace",
    "source",
    "take",
    "text_of",
    "usual",
]
