"""A small LSP client: starts a language server and speaks to it over its pipes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from .output import DEBUG_VARIABLE

#: Seconds that a server gets to end by itself.
_GRACE = 5.0

#: Bytes of the longest line of a header, and what is read ahead.
_READ_LIMIT = 1024 * 1024


class ServerGone(Exception):
    """The server ended, or does not speak LSP."""


class RequestRefused(Exception):
    """The server answered a request with an error."""


class LspClient:
    """A connection to one server; made by ``connect``.

    Attributes:
        messages: the last texts that the server wanted to show to the user.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._input = process.stdin
        self._output = process.stdout
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._next_id = 1
        self.messages: deque[str] = deque(maxlen=20)
        self._reading = asyncio.create_task(self._read_all())

    async def request(self, method: str, params: Any = None) -> Any:
        """Send a request and return its result.

        Raises:
            RequestRefused: when the server answers with an error.
            ServerGone: when it does not answer any more.
        """
        if self._reading.done():
            raise ServerGone("the language server has ended")
        number, self._next_id = self._next_id, self._next_id + 1
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._send({"id": number, "method": method, "params": params})
        try:
            return await answer
        finally:
            if self._waiting.pop(number, None) is not None:
                self.notify("$/cancelRequest", {"id": number})

    def notify(self, method: str, params: Any = None) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    async def aclose(self) -> None:
        """Ask the server to end, and see to it that it does."""
        with contextlib.suppress(ServerGone, RequestRefused, TimeoutError):
            async with asyncio.timeout(_GRACE):
                await self.request("shutdown")
                self.notify("exit")
                await self._process.wait()
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        await self._reading
        self._input.close()

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        with contextlib.suppress(ConnectionError):
            self._input.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _read_all(self) -> None:
        try:
            while (message := await self._read()) is not None:
                self._take(message)
        except (ValueError, KeyError, asyncio.IncompleteReadError, ConnectionError):
            pass  # What waits below is told.
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ServerGone("the language server ended without an answer"))
        self._waiting.clear()

    async def _read(self) -> dict[str, Any] | None:
        length = None
        while line := (await self._output.readline()).strip():
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        if length is None:
            return None
        message = json.loads(await self._output.readexactly(length))
        if not isinstance(message, dict):
            raise ValueError("a message is an object")
        return message

    def _take(self, message: dict[str, Any]) -> None:
        method, number = message.get("method"), message.get("id")
        if method is None:
            answer = self._waiting.pop(number, None) if isinstance(number, int) else None
            if answer is not None and not answer.done():
                if "error" in message:
                    answer.set_exception(RequestRefused(message["error"]["message"]))
                else:
                    answer.set_result(message.get("result"))
        elif number is not None:
            self._send({"id": number, **_reply(method, message.get("params"))})
        elif method == "window/showMessage":
            self.messages.append(str(message["params"]["message"]))


@contextlib.asynccontextmanager
async def connect(
    command: Sequence[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[LspClient]:
    """Start a server, and end it afterwards. Its log is shown for debugging only."""
    environment = os.environ if environment is None else environment
    quiet = not environment.get(DEBUG_VARIABLE)
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL if quiet else None,
        env=dict(environment),
        limit=_READ_LIMIT,
    )
    client = LspClient(process)
    try:
        yield client
    finally:
        await client.aclose()


def _reply(method: str, params: Any) -> dict[str, Any]:
    """Answer what the server asks of an editor: there are no settings and no choices here."""
    match method:
        case "workspace/configuration":
            return {"result": [None] * len(params["items"])}
        case "window/workDoneProgress/create" | "window/showMessageRequest":
            return {"result": None}
        case _:
            return {"error": {"code": -32601, "message": "this client cannot do that"}}
