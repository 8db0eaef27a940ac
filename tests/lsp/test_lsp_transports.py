"""The ways in: pipes, files, TCP and WebSocket; each connection has a session of its own."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from ringfence.lsp import run
from ringfence.lsp.channel import Channel
from ringfence.lsp.run import AddressUnavailable, serve_tcp
from ringfence.lsp.transports.stdio import open_descriptors
from tests.lsp.raw_client import (
    CAPABILITIES,
    PATIENCE,
    RawClient,
    ServerProcess,
    frame,
    server_process,
)
from tests.lsp.scripted import ScriptedApplication

_INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"processId": None, "rootUri": None, "capabilities": CAPABILITIES},
}
_GOODBYE: list[dict[str, Any]] = [
    {"jsonrpc": "2.0", "id": 2, "method": "shutdown"},
    {"jsonrpc": "2.0", "method": "exit"},
]


async def _port(server: ServerProcess) -> int:
    async with asyncio.timeout(PATIENCE):
        pattern = r"Listening at 127\.0\.0\.1:(\d+)\."
        while not (found := re.search(pattern, server.stderr)):
            await asyncio.sleep(0.02)
    return int(found[1])


async def _connected(port: int) -> RawClient:
    return RawClient(*await asyncio.open_connection("127.0.0.1", port))


async def test_tcp_clients_have_sessions_of_their_own() -> None:
    async with server_process("tcp") as server:
        port = await _port(server)
        one, two = await _connected(port), await _connected(port)
        await one.initialize()
        await two.initialize()
        one.open("for one")
        assert (await one.command("ringfence.status"))["server"]["documents"] == 1
        assert (await two.command("ringfence.status"))["server"]["documents"] == 0
        # One goes, with a goodbye or without; the other stays.
        await one.shut_down()
        await one.close()
        three = await _connected(port)
        three.send_bytes(b"Content-Length: 100\r\n\r\n{")
        await three.close()
        assert (await two.command("ringfence.status"))["answers"] == 0
        await two.shut_down()
        await two.close()


async def test_a_web_page_that_posts_to_the_port_gets_nothing() -> None:
    async with server_process("tcp") as server:
        client = await _connected(await _port(server))
        body = json.dumps(_INITIALIZE).encode()
        head = b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % len(body)
        client.send_bytes(head + body)
        assert (await client.error(None))["code"] == -32700
        await client.end()
        assert b"capabilities" not in client.received
        await client.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")
async def test_a_signal_to_terminate_closes_every_application() -> None:
    async with server_process("tcp") as server:
        client = await _connected(await _port(server))
        await client.initialize()
        await client.command("ringfence.status")
        server.process.send_signal(signal.SIGTERM)
        assert await server.exit_code() == 0
        assert "application closed" in server.stderr
        await client.close()


def test_a_port_in_use_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "start_logging", lambda _: None)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressUnavailable, match=rf"127\.0\.0\.1:{port} .*another port"):
            serve_tcp(ScriptedApplication, "127.0.0.1", port)


async def _ask(connection: ClientConnection, message: dict[str, Any]) -> dict[str, Any]:
    await connection.send(json.dumps(message))
    async with asyncio.timeout(PATIENCE):
        while True:
            text = await connection.recv()
            assert isinstance(text, str)
            answer: dict[str, Any] = json.loads(text)
            if answer.get("id") == message.get("id"):
                return answer


async def test_websocket_clients_have_sessions_of_their_own() -> None:
    async with server_process("websocket") as server:
        address = f"ws://127.0.0.1:{await _port(server)}"
        async with connect(address) as one, connect(address) as two:
            assert "result" in await _ask(one, _INITIALIZE)
            assert (await _ask(two, _GOODBYE[0]))["error"]["code"] == -32002
            assert "result" in await _ask(two, _INITIALIZE)
            assert (await _ask(one, _GOODBYE[0]))["result"] is None
            await one.send(json.dumps(_GOODBYE[1]))
            async with asyncio.timeout(PATIENCE):
                await one.wait_closed()
            assert (await _ask(two, {**_INITIALIZE, "id": 7}))["error"]["code"] == -32600


@pytest.mark.parametrize(
    ("origin", "welcome"),
    [
        (None, True),
        ("http://localhost:3000", True),
        ("https://127.0.0.1", True),
        ("http://[::1]:8080", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("http://evil.example/localhost", False),
        ("null", False),
    ],
)
async def test_only_pages_of_this_machine_may_connect(origin: Any, welcome: bool) -> None:
    from ringfence.lsp.transports.websocket import listen_websocket

    async def session(channel: Channel) -> None:
        await channel.aclose()

    async with await listen_websocket("127.0.0.1", 0, session) as server:
        address = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        if welcome:
            async with connect(address, origin=origin):
                pass
        else:
            with pytest.raises(InvalidStatus, match="403"):
                async with connect(address, origin=origin):
                    pass


async def test_standard_streams_can_be_files(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(frame(_INITIALIZE) + b"".join(map(frame, _GOODBYE)))
    with source.open("rb") as stdin, target.open("wb") as stdout:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.lsp.scripted"),
            stdin=stdin,
            stdout=stdout,
            stderr=asyncio.subprocess.PIPE,
        )
        await process.communicate()
    assert process.returncode == 0
    answers = target.read_bytes()
    assert answers.count(b"Content-Length") == 2
    assert b"inlineCompletionProvider" in answers


async def test_one_socket_can_be_both_streams() -> None:
    ours, theirs = socket.socketpair()
    descriptor = theirs.detach()
    channel = await open_descriptors(descriptor, socket.dup(descriptor))
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.write(frame({"a": 1}))
    frames = channel.frames()
    assert json.loads((await anext(frames)).content) == {"a": 1}  # type: ignore[union-attr]
    channel.send(b"{}")
    assert await reader.readexactly(21) == b"Content-Length: 2\r\n\r\n"
    assert await reader.readexactly(2) == b"{}"
    writer.write_eof()
    assert [frame async for frame in frames] == []
    await channel.aclose()
    writer.close()
    await writer.wait_closed()


async def test_a_client_that_never_reads_does_not_stop_the_server() -> None:
    async with server_process() as server:
        await server.initialize()
        await server.command("ringfence.status")
        transport: Any = server.process._transport  # type: ignore[attr-defined]
        stdout = transport.get_pipe_transport(1)
        stdout.pause_reading()
        requests = [server.start_command("test.events") for _ in range(3000)]
        await server._writer.drain()
        stdout.resume_reading()
        for request in requests:
            await server.result(request)
        await server.shut_down()
