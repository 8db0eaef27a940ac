"""An HTTP/1.1 server of the tests' own, which can misbehave in every way that real ones do.

Handlers get an ``Exchange`` and write to it. When the client closes its connection, the handler
is cancelled at once and the request is marked ``disconnected``: a generation was really stopped.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeAlias

_REASONS = {200: "OK", 101: "Switching Protocols"}


@dataclass(slots=True)
class Request:
    """What a client sent, and how that ended.

    Attributes:
        path: without the query.
        headers: names in lower case.
        disconnected: whether the client went away before the answer was complete.
        answered: whether the answer was written to its end.
        finished: set when the server is done with the request, in whatever way.
    """

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    disconnected: bool = False
    answered: bool = False
    finished: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Exchange:
    """One request and the connection to answer it on."""

    def __init__(self, request: Request, incoming: Incoming, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.incoming = incoming
        self._writer = writer
        self.begun = False
        self.broken = False
        self.switched = False

    async def begin(
        self, status: int = 200, kind: str = "application/json", **headers: str
    ) -> None:
        """Start an answer whose body follows in pieces."""
        self._head(status, {"content-type": kind, "transfer-encoding": "chunked", **headers})
        await self._writer.drain()

    async def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        if data:
            self._writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await self._writer.drain()

    async def end(self) -> None:
        """Finish a body that was sent in pieces."""
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def answer(
        self,
        content: Any = None,
        status: int = 200,
        kind: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a whole answer; bytes and text as they are, anything else as JSON."""
        match content:
            case None:
                body = b""
            case bytes():
                body = content
            case str():
                body = content.encode()
            case _:
                body = json.dumps(content).encode()
        self._head(
            status, {"content-type": kind, "content-length": str(len(body)), **(headers or {})}
        )
        self._writer.write(body)
        await self._writer.drain()

    async def raw(self, data: bytes) -> None:
        """Send bytes outside of HTTP, after a switch of protocols."""
        self._writer.write(data)
        await self._writer.drain()

    async def switch(self, headers: Mapping[str, str]) -> None:
        """Answer 101; what follows on the connection is the handler's."""
        self.switched = True
        self._head(101, dict(headers))
        await self._writer.drain()

    def cut(self) -> None:
        """Break the connection off, as a server does that dies."""
        self.broken = True
        self._writer.transport.abort()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        self.begun = True
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())


Handler: TypeAlias = Callable[[Exchange], Awaitable[None]]


class HttpServer:
    """Listens on a loopback port and hands requests to ``handle``.

    Attributes:
        requests: everything that was asked, in order.
        connections, accepted: connections that are open now, and that were ever made.
    """

    def __init__(self, port: int = 0) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.accepted = 0
        self._port = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port it listens on, or listened on before it was stopped."""
        assert self._port, "the fake server has not been started"
        return self._port

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Stop listening and drop all connections, as a server does that is killed."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def idle(self, timeout: float = 5.0) -> None:
        """Wait until no request is being answered."""
        async with asyncio.timeout(timeout):
            for request in list(self.requests):
                await request.finished.wait()

    async def handle(self, exchange: Exchange) -> None:
        """Answer a request; the fakes override this."""
        raise NotImplementedError

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.accepted += 1
        incoming = Incoming(reader)
        pumping = asyncio.create_task(incoming.pump())
        try:
            await self._serve(incoming, writer)
        except asyncio.CancelledError:
            # The server is being stopped; a connection's task must not end as cancelled.
            writer.transport.abort()
        except (OSError, EOFError):
            pass
        finally:
            pumping.cancel()
            self.connections -= 1
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, incoming: Incoming, writer: asyncio.StreamWriter) -> None:
        while (request := await _read_request(incoming)) is not None:
            self.requests.append(request)
            exchange = Exchange(request, incoming, writer)
            try:
                await self._answer(exchange)
            finally:
                request.finished.set()
            if not request.answered or exchange.switched:
                return

    async def _answer(self, exchange: Exchange) -> None:
        """Run the handler until it is done or the client goes away."""
        request = exchange.request
        handling = asyncio.ensure_future(self.handle(exchange))
        watching = asyncio.ensure_future(exchange.incoming.closed.wait())
        try:
            await asyncio.wait({handling, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not handling.done():
                request.disconnected = True
                return
            handling.result()
            request.answered = exchange.begun and not exchange.broken
        except (OSError, EOFError):
            request.disconnected = not exchange.broken
        finally:
            for task in (handling, watching):
                task.cancel()
            await asyncio.gather(handling, watching, return_exceptions=True)


class Incoming:
    """What a client has sent and nobody has read yet.

    A task of its own reads the connection all the time, so that its end is known at once.
    """

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self.closed = asyncio.Event()
        self._reader = reader
        self._buffer = bytearray()
        self._more = asyncio.Event()

    async def pump(self) -> None:
        """Read the connection to its end."""
        try:
            while data := await self._reader.read(65536):
                self._buffer += data
                self._more.set()
        except OSError:
            pass
        finally:
            self.closed.set()
            self._more.set()

    async def line(self) -> bytes:
        """Return the next line without its ending; what is left at the end of the connection."""
        while b"\n" not in self._buffer and not self.closed.is_set():
            await self._wait()
        end = self._buffer.find(b"\n") + 1 or len(self._buffer)
        return self._take(end).rstrip(b"\r\n")

    async def exactly(self, count: int) -> bytes:
        """Return the next ``count`` bytes.

        Raises:
            EOFError: when the connection ends before.
        """
        while len(self._buffer) < count:
            if self.closed.is_set():
                raise EOFError
            await self._wait()
        return self._take(count)

    async def _wait(self) -> None:
        self._more.clear()
        await self._more.wait()

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken


async def _read_request(incoming: Incoming) -> Request | None:
    first = await incoming.line()
    if not first:
        return None
    method, target, _ = first.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while line := await incoming.line():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await incoming.exactly(int(headers.get("content-length", "0")))
    path, _, query = target.partition("?")
    return Request(method, path, query, headers, body)
