"""A channel over a byte stream with ``Content-Length`` headers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from ringfence.lsp.framing import Frame, FrameParser, Malformed

#: Time that unsent messages get when the connection is closed, in seconds.
_FLUSH_SECONDS = 2.0


class Output(Protocol):
    """Where bytes go; ``write`` never blocks."""

    def write(self, data: bytes) -> None:
        """Queue bytes."""
        ...

    async def aclose(self) -> None:
        """Send what is queued, then close."""
        ...


class WriterOutput:
    """An output over the writer of an asyncio stream."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    def write(self, data: bytes) -> None:
        """Queue bytes, unless the other side is gone."""
        if not self._writer.is_closing():
            self._writer.write(data)

    async def aclose(self) -> None:
        """Send what is queued, then close."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class StreamChannel:
    """Messages over a byte stream.

    Args:
        read: returns the next bytes, and none at the end.
        output: where answers go.
        parser: cuts the bytes into messages.
    """

    def __init__(
        self, read: Callable[[], Awaitable[bytes]], output: Output, parser: FrameParser
    ) -> None:
        self._read = read
        self._output = output
        self._parser = parser

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield what the client sends, until it closes the connection."""
        while data := await self._receive():
            for frame in self._parser.feed(data):
                yield frame
        if self._parser.pending:
            yield Malformed("The connection ended inside a message.", fatal=True)

    def send(self, body: bytes) -> None:
        """Queue one message."""
        self._output.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def aclose(self) -> None:
        """Send what is queued, then close; a client that does not read is not waited for."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FLUSH_SECONDS):
                await self._output.aclose()

    async def _receive(self) -> bytes:
        try:
            return await self._read()
        except ConnectionError:
            return b""
