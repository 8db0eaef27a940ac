"""A request that is under way when its policy is tightened is cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ringfence.privacy import MANIFEST, Clearance, Endpoint, Gate, GateRefusal, Manifest, Zone
from tests.privacy.listeners import serving

BEGUN = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


class Slow:
    """A server that begins to answer, if told to, and never ends."""

    def __init__(self) -> None:
        self.url = ""
        self.begin = b""
        self.asked = asyncio.Event()
        self.hung_up = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.begin)
        await writer.drain()
        self.asked.set()
        while await reader.read(1000):
            pass
        self.hung_up.set()


@asynccontextmanager
async def slow(begin: bytes = b"") -> AsyncIterator[Slow]:
    server = Slow()
    server.begin = begin
    async with serving(server.serve) as server.url:
        yield server


async def ask(gate: Gate, url: str, zone: Zone, folder: str = "/work") -> bytes:
    label = Manifest(Clearance(Zone.CLOUD, folders=(folder,)), "edit", "there")
    async with gate.client(Endpoint("there", url, zone)) as client:
        response = await client.post("/v1", content=b"code", extensions={MANIFEST: label})
        return response.content


@pytest.mark.parametrize("begin", [b"", BEGUN], ids=["before the answer", "within the answer"])
@pytest.mark.parametrize("folder", ["/work", None], ids=["its folder", "every folder"])
async def test_a_request_is_cut_off_when_its_folder_is_tightened(
    begin: bytes, folder: str | None
) -> None:
    gate = Gate()
    async with slow(begin) as server:
        asking = asyncio.create_task(ask(gate, server.url, Zone.CLOUD))
        await server.asked.wait()

        gate.within(Zone.NETWORK).abort(folder)

        with pytest.raises(GateRefusal, match="tightened"):
            await asking
        await server.hung_up.wait()
    assert not gate._flights


async def test_other_requests_go_on() -> None:
    gate = Gate()
    async with slow() as away, slow() as here:
        tasks = [
            asyncio.create_task(ask(gate, away.url, Zone.CLOUD, "/other")),
            asyncio.create_task(ask(gate, here.url, Zone.DEVICE)),
        ]
        await away.asked.wait()
        await here.asked.wait()

        gate.abort("/work")
        done, _ = await asyncio.wait(tasks, timeout=0.05)

        assert not done
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_tightening_between_two_reads_ends_the_answer() -> None:
    gate = Gate()
    label = Manifest(Clearance(Zone.CLOUD, folders=("/work",)), "edit", "there")
    async with (
        slow(BEGUN) as server,
        gate.client(Endpoint("there", server.url, Zone.CLOUD)) as client,
        client.stream("POST", "/v1", content=b"code", extensions={MANIFEST: label}) as response,
    ):
        chunks = response.aiter_bytes()
        assert await anext(chunks) == b"hello"

        gate.abort("/work")

        with pytest.raises(GateRefusal):
            await anext(chunks)


async def test_a_cancelled_request_is_cancelled_and_forgotten() -> None:
    gate = Gate()
    async with slow() as server:
        asking = asyncio.create_task(ask(gate, server.url, Zone.CLOUD))
        await server.asked.wait()

        asking.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asking
        await server.hung_up.wait()
    assert not gate._flights


async def test_a_deadline_of_the_caller_stays_a_deadline() -> None:
    async with slow() as server:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await ask(Gate(), server.url, Zone.CLOUD)


async def test_tightening_while_the_audit_is_written_sends_nothing() -> None:
    gate: Gate
    loop = asyncio.get_running_loop()

    class Tightening:
        def record(self, entry: object) -> None:
            done = asyncio.run_coroutine_threadsafe(self._tighten(), loop)
            done.result(5)

        async def _tighten(self) -> None:
            gate.abort("/work")

    gate = Gate(audit=Tightening())
    async with slow() as server:
        with pytest.raises(GateRefusal, match="tightened"):
            await ask(gate, server.url, Zone.CLOUD)
        assert not server.asked.is_set()
