"""From an editor's bytes to a real model and back: what holds for any sane model."""

from __future__ import annotations

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest

from ringfence.engine.store import InstalledModel
from tests.end_to_end.server import real_server
from tests.lsp.raw_client import URI, ServerProcess

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

CONFIG = """
engine: {model: "qwen2.5-coder:0.5b", threads: 1, context: 2048, idle_seconds: 0.5}
completion: {deadline_ms: 15000, max_tokens: 1024}
"""

PREFIX = "def add(a, b):\n    return "
SUFFIX = "\n\n\nprint(add(1, 2))\n"


def params(text: str, trigger: int = 1) -> dict[str, Any]:
    """Return the parameters of a completion at the end of ``text``."""
    place = {"line": text.count("\n"), "character": len(text.rpartition("\n")[2])}
    return {
        "textDocument": {"uri": URI},
        "position": place,
        "context": {"triggerKind": trigger},
    }


async def complete(client: ServerProcess, text: str) -> list[dict[str, Any]]:
    """Return the items at the end of ``text``, once the engine has loaded its model."""
    for _ in range(30):
        result = await client.ask("textDocument/inlineCompletion", params(text))
        if result["items"]:
            return list(result["items"])
        await asyncio.sleep(0.5)
    raise AssertionError((await client.command("ringfence.status"))["answers"][-1])


async def test_a_real_model_completes_real_code(tmp_path: Path, real_model: InstalledModel) -> None:
    async with real_server(tmp_path, CONFIG, real_model.path.parent) as client:
        await client.initialize()
        client.open(PREFIX + SUFFIX)

        (item, *_) = await complete(client, PREFIX)

        start = item["range"]["start"]
        assert start["line"] == 1
        before = PREFIX[: PREFIX.rindex("\n") + 1 + start["character"]]
        ast.parse(before + item["insertText"] + SUFFIX)
        answer = (await client.command("ringfence.status"))["answers"][-1]
        assert (answer["backend"], answer["zone"]) == ("engine", "device")
        await client.shut_down()


async def test_a_cancelled_completion_frees_the_model(
    tmp_path: Path, real_model: InstalledModel
) -> None:
    async with real_server(tmp_path, CONFIG, real_model.path.parent) as client:
        await client.initialize()
        client.open(PREFIX + SUFFIX)
        await complete(client, PREFIX)
        # An endless list: left alone, it would keep the only slot for a minute.
        endless = "NUMBERS = [\n" + "".join(f"    {number},\n" for number in range(40)) + "    "
        client.change(endless, version=2)
        long = client.request("textDocument/inlineCompletion", params(endless))
        await asyncio.sleep(1)

        client.notify("$/cancelRequest", {"id": long})
        assert (await client.error(long))["code"] == -32800
        client.change(PREFIX + SUFFIX.replace("1", "3"), version=3)
        (item, *_) = await complete(client, PREFIX)

        assert item["insertText"]
        await client.shut_down()
