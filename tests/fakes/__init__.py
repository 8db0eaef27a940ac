"""Servers that behave like the real ones, odd answers included.

Each kind of model server has a fake with the real one's routes, errors and habits, in the
test's own process or in one of its own::

    async with FakeOllama(models=[FakeModel("qwen2.5-coder:7b", insert=True)]) as fake:
        fake.say("return a + b")                # the answer from now on
        fake.script(Script(error_after=2))      # the next generation fails in mid-stream
        ...                                     # point a backend at fake.url
        assert fake.generations[0].json["prompt"].startswith("<|fim_prefix|>")
        assert fake.generations[0].disconnected  # the client went away in the middle

``fake.requests`` holds everything that was asked, ``fake.generations`` the requests that
generate. A ``Script`` says how one generation misbehaves: late, cut off, failed, split into
any pieces of bytes, held until the client goes away. ``fake.idle()`` waits until the server
is done with all requests, which is how a test waits for a disconnect to be seen.

``python -m tests.fakes KIND [--port N]`` runs a fake as a process, for benchmarks and tests of
the whole program; it prints its URL as its first line.
"""

from .anthropic import FakeAnthropic
from .llamacpp import FakeLlamaCpp
from .lmstudio import FakeLmStudio
from .mistral import FakeMistral
from .model import FakeModel
from .ollama import FakeOllama
from .openai import FakeOpenAI
from .script import Script
from .server import FakeServer
from .vllm import FakeVllm

__all__ = [
    "FakeAnthropic",
    "FakeLlamaCpp",
    "FakeLmStudio",
    "FakeMistral",
    "FakeModel",
    "FakeOllama",
    "FakeOpenAI",
    "FakeServer",
    "FakeVllm",
    "Script",
]
