"""Runs a fake as a process: ``python -m tests.fakes KIND [--port N] [--text TEXT]``.

Its first line of output is its URL; it ends when its standard input is closed, so that it
never outlives the program that started it.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import sys

from . import (
    FakeAnthropic,
    FakeLlamaCpp,
    FakeLmStudio,
    FakeMistral,
    FakeOllama,
    FakeOpenAI,
    FakeServer,
    FakeVllm,
    Script,
)

KINDS: dict[str, type[FakeServer]] = {
    "ollama": FakeOllama,
    "lmstudio": FakeLmStudio,
    "llamacpp": FakeLlamaCpp,
    "vllm": FakeVllm,
    "openai": FakeOpenAI,
    "anthropic": FakeAnthropic,
    "mistral": FakeMistral,
}


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until standard input is closed."""
    kind = KINDS[arguments.kind]
    models = None
    if arguments.model is not None:
        models = [dataclasses.replace(kind.default_model, id=arguments.model)]
    async with kind(
        models, port=arguments.port, api_key=arguments.api_key, text=arguments.text
    ) as fake:
        fake.always(Script(delay=arguments.delay, piece_delay=arguments.piece_delay))
        print(fake.url, flush=True)
        await asyncio.to_thread(sys.stdin.buffer.read)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.fakes", description=__doc__)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--model", help="the name of the one model it serves")
    parser.add_argument("--api-key")
    parser.add_argument("--text", default="return a + b", help="what it answers")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds to the first byte")
    parser.add_argument("--piece-delay", type=float, default=0.0, help="seconds between pieces")
    asyncio.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
