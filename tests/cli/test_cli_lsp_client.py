"""The small client that commands speak to the language server with."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ringfence.cli.lsp_client import LspClient, RequestRefused, ServerGone, connect

ROOT = Path(__file__).parent.parent.parent
SCRIPTED = [sys.executable, "-m", "tests.lsp.scripted"]
INITIALIZE: dict[str, Any] = {"processId": None, "rootUri": None, "capabilities": {}}


@asynccontextmanager
async def initialized(command: list[str] = SCRIPTED) -> AsyncIterator[LspClient]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    async with connect(command, environment) as client:
        await client.request("initialize", INITIALIZE)
        client.notify("initialized", {})
        yield client


async def run(client: LspClient, command: str, *arguments: Any) -> Any:
    params = {"command": command, "arguments": list(arguments)}
    return await client.request("workspace/executeCommand", params)


async def test_requests_get_their_own_answers() -> None:
    async with initialized() as client:
        answers = await asyncio.gather(*(run(client, "ringfence.status") for _ in range(5)))

    assert len(answers) == 5
    assert all("answers" in answer for answer in answers)


async def test_a_refusal_is_raised_with_the_server_s_sentence() -> None:
    async with initialized() as client:
        with pytest.raises(RequestRefused, match="ringfence models pull"):
            await run(client, "test.refuse")


async def test_what_the_server_asks_is_answered_and_what_it_shows_is_kept() -> None:
    async with initialized() as client:
        assert await run(client, "test.ask") is None
        await run(client, "test.show", "one", "two")

    assert list(client.messages) == ["About one.", "About two."]


async def test_a_cancelled_request_is_cancelled_at_the_server() -> None:
    async with initialized() as client:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await run(client, "test.hang")

        events = await run(client, "test.events")

    assert ["cancelled command"] in events


async def test_a_server_that_ends_is_told_to_all_who_wait() -> None:
    code = "import sys; sys.stdin.buffer.read(10)"

    async with connect([sys.executable, "-c", code]) as client:
        with pytest.raises(ServerGone):
            await client.request("initialize", INITIALIZE)
        with pytest.raises(ServerGone):
            await client.request("shutdown")


@pytest.mark.parametrize(
    "noise", ["hello\\n\\n", "Content-Length: x\\r\\n\\r\\n", "Content-Length: 2\\r\\n\\r\\n[]"]
)
async def test_a_program_that_speaks_no_lsp_is_no_server(noise: str) -> None:
    code = f"import sys; sys.stdout.write('{noise}'); sys.stdout.flush(); sys.stdin.read()"

    async with connect([sys.executable, "-c", code]) as client:
        with pytest.raises(ServerGone):
            async with asyncio.timeout(20):
                await client.request("initialize", INITIALIZE)
