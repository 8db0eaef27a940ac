"""Servers that only listen: what reaches them is kept, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ringfence.privacy.addresses import Address, parse_address


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
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.received += head
                lines = head.lower().split(b"\r\n")
                length = next(
                    (line for line in lines if line.startswith(b"content-length:")), b":0"
                )
                self.received += await reader.readexactly(int(length.partition(b":")[2]))
                writer.write(self.answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


@asynccontextmanager
async def listening(host: str = "127.0.0.1") -> AsyncIterator[Listener]:
    """Listen at a free port of ``host``."""
    listener = Listener()
    server = await asyncio.start_server(listener.serve, host, 0)
    listener.url = f"http://{host}:{server.sockets[0].getsockname()[1]}"
    try:
        yield listener
    finally:
        server.close()


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
