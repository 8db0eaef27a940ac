"""A client that speaks in bytes, and insists that every message it gets is expected."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from ringfence.lsp.framing import Body, FrameParser
from ringfence.lsp.server import build_session
from ringfence.lsp.session import Session
from ringfence.lsp.transports.stdio import open_descriptors, pipe_reader, pipe_writer
from tests.lsp.scripted import TEST_COMMANDS, ScriptedApplication

#: Time that an answer may take, in seconds. It is long because it is only spent on failures.
PATIENCE = 20.0

URI = "file:///project/code.py"

CAPABILITIES: dict[str, Any] = {
    "general": {"positionEncodings": ["utf-16"]},
    "textDocument": {"inlineCompletion": {}},
    "notebookDocument": {"synchronization": {}},
    "window": {"workDoneProgress": True, "showMessage": {}},
}


def frame(content: Any) -> bytes:
    """One message with its header."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class RawClient:
    """The client's end of a byte stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._unread: list[dict[str, Any]] = []
        self._arrived = asyncio.Condition()
        self._ended = False
        self._receiving = asyncio.create_task(self._receive())
        self.received = b""
        self.logs: list[str] = []

    # Sending

    def send_bytes(self, data: bytes) -> None:
        self._writer.write(data)

    def send(self, *messages: dict[str, Any]) -> None:
        """Send messages in one piece, so that the server reads them together."""
        self.send_bytes(b"".join(frame({"jsonrpc": "2.0", **message}) for message in messages))

    def request(self, method: str, params: Any = None) -> int:
        message_id = next(self._ids)
        self.send({"id": message_id, "method": method, "params": params})
        return message_id

    def notify(self, method: str, params: Any = None) -> None:
        self.send({"method": method, "params": params})

    async def ask(self, method: str, params: Any = None) -> Any:
        """Send a request and return its result."""
        return await self.result(self.request(method, params))

    async def command(self, name: str, *arguments: Any) -> Any:
        params = {"command": name, "arguments": list(arguments)}
        return await self.ask("workspace/executeCommand", params)

    def start_command(self, name: str, *arguments: Any) -> int:
        params = {"command": name, "arguments": list(arguments)}
        return self.request("workspace/executeCommand", params)

    # Receiving

    async def result(self, message_id: int | str | None) -> Any:
        response = await self._take(lambda m: "method" not in m and m.get("id") == message_id)
        assert "error" not in response, response
        return response["result"]

    async def error(self, message_id: int | str | None) -> dict[str, Any]:
        response = await self._take(lambda m: "method" not in m and m.get("id") == message_id)
        assert "result" not in response, response
        error = response["error"]
        assert isinstance(error, dict)
        return error

    async def call(self, method: str) -> dict[str, Any]:
        """The next request or notification of the server."""
        return await self._take(lambda m: m.get("method") == method)

    def respond(self, call: dict[str, Any], result: Any) -> None:
        self.send({"id": call["id"], "result": result})

    async def end(self) -> None:
        """Wait until the server closes the stream; nothing may be left unread."""
        async with asyncio.timeout(PATIENCE):
            await self._receiving
        assert self._unread == [], "the server sent messages that no test expected"

    async def close(self) -> None:
        self._receiving.cancel()
        self._writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._writer.wait_closed()
        await asyncio.gather(self._receiving, return_exceptions=True)

    def close_output(self) -> None:
        """Close the client's half, as an editor that went away does."""
        if self._writer.can_write_eof():
            self._writer.write_eof()
        else:
            self._writer.close()

    # The usual conversation

    async def initialize(self, capabilities: Any = CAPABILITIES, **more: Any) -> dict[str, Any]:
        params = {"processId": None, "rootUri": None, "capabilities": capabilities, **more}
        result = await self.ask("initialize", params)
        self.notify("initialized", {})
        assert isinstance(result, dict)
        return result

    def open(self, text: str, uri: str = URI, version: int = 1) -> None:
        item = {"uri": uri, "languageId": "python", "version": version, "text": text}
        self.notify("textDocument/didOpen", {"textDocument": item})

    def change(self, text: str, uri: str = URI, version: int = 2) -> None:
        params = {"textDocument": {"uri": uri, "version": version}}
        self.notify("textDocument/didChange", {**params, "contentChanges": [{"text": text}]})

    async def shut_down(self) -> None:
        """Say goodbye; nothing may be left unread."""
        assert await self.ask("shutdown") is None
        self.notify("exit")
        await self.end()

    async def _receive(self) -> None:
        parser = FrameParser()
        while data := await self._read():
            self.received += data
            for part in parser.feed(data):
                assert isinstance(part, Body), part
                message = json.loads(part.content)
                assert message["jsonrpc"] == "2.0"
                async with self._arrived:
                    if message.get("method") == "window/logMessage":
                        self.logs.append(message["params"]["message"])
                    else:
                        self._unread.append(message)
                    self._arrived.notify_all()
        assert parser.pending == 0, "the server sent half a message"
        async with self._arrived:
            self._ended = True
            self._arrived.notify_all()

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(65536)
        except ConnectionError:
            return b""

    async def _take(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE), self._arrived:
            while True:
                for message in self._unread:
                    if wanted(message):
                        self._unread.remove(message)
                        return message
                assert not self._ended, f"the server is gone; unread: {self._unread}"
                await self._arrived.wait()


class ServerProcess(RawClient):
    """A client of a server in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        assert process.stdin is not None
        super().__init__(process.stdout, process.stdin)
        self.process = process
        self.stderr = ""
        self._reading_stderr = asyncio.create_task(self._read_stderr())

    async def exit_code(self) -> int:
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
            await self._reading_stderr
        return code

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
        await self.exit_code()
        await self.close()

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.stderr += line.decode(errors="replace")


@asynccontextmanager
async def server_process(*arguments: str) -> AsyncIterator[ServerProcess]:
    """Run the scripted server in a process; whatever happens, it is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.lsp.scripted", *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    client = ServerProcess(process)
    try:
        yield client
    finally:
        await client.kill()


class LocalServer(RawClient):
    """A client of a server in the test's own process, over real pipes."""

    session: Session
    serving: asyncio.Task[int]


@asynccontextmanager
async def local_server(
    make: Callable[[Any], Any] = ScriptedApplication,
) -> AsyncIterator[LocalServer]:
    """Run a scripted session in this process, which is ready in milliseconds."""
    from_client, to_server = os.pipe()
    from_server, to_client = os.pipe()
    channel = await open_descriptors(from_client, to_client)
    reader, writer = await pipe_reader(from_server), await pipe_writer(to_server)
    client = LocalServer(reader, writer)
    client.session = build_session(make, TEST_COMMANDS)
    client.serving = asyncio.create_task(client.session.serve(channel))
    try:
        yield client
    finally:
        await client.close()
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(client.serving, return_exceptions=True)
