"""Servers that only listen: what reaches them is kept, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

from ringfence.privacy.addresses import Address, parse_address

Handler: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Listener:
    """What came in at one address.

    Attributes:
        url: where it listens.
        received: every byte that came.
        connections: how many connections were made.
        answer: what each request is answered with.
    """

    def __init__(self) -> None:
        self.url = ""
        self.received = b""
        self.connections = 0
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one connection, and answer each request alike."""
        self.connections += 1
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            self.received += head
            self.received += await reader.readexactly(_length(head))
            writer.write(self.answer)
            await writer.drain()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


@asynccontextmanager
async def serving(handler: Handler, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Give the URL at which connections are handed to ``handler``, all of them ended after."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            tasks.discard(task)

    server = await asyncio.start_server(serve, host, 0)
    try:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        remaining = list(tasks)
        for task in remaining:
            task.cancel()
        await asyncio.gather(*remaining, return_exceptions=True)


@asynccontextmanager
async def listening(host: str = "127.0.0.1") -> AsyncIterator[Listener]:
    """Listen at a free port of ``host``."""
    listener = Listener()
    async with serving(listener.serve, host) as listener.url:
        yield listener


class ScriptedResolver:
    """Resolves names as told, one answer after another; the last one stays."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self._answers = {name.replace("_", "."): queue for name, queue in answers.items()}
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """Return the next answer for ``host``."""
        del port
        self.asked.append(host)
        literal = parse_address(host)
        if literal is not None:
            return (literal,)
        if host not in self._answers:
            raise OSError("no such name")
        queue = self._answers[host]
        texts = queue.pop(0) if len(queue) > 1 else queue[0]
        return tuple(address for text in texts if (address := parse_address(text)))
