"""WebSocket: one session for each connection, one message in each frame."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from ringfence.lsp.channel import Channel
from ringfence.lsp.framing import MAX_BODY, Body, Frame

#: Web pages on this machine may connect, and clients that are no browsers; a page of any
#: other origin could otherwise drive the server of whoever visits it.
_ORIGINS = (None, re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?"))


class WebSocketChannel:
    """Messages over a WebSocket."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._sending = asyncio.create_task(self._send_all())

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield what the client sends, until it closes the connection."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                yield Body(await self._connection.recv(decode=False))

    def send(self, body: bytes) -> None:
        """Queue one message."""
        self._queue.put_nowait(body.decode())

    async def aclose(self) -> None:
        """Send what is queued, then close."""
        self._queue.put_nowait(None)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2.0):
                await self._sending
        self._sending.cancel()
        await self._connection.close()

    async def _send_all(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while (text := await self._queue.get()) is not None:
                await self._connection.send(text)


async def listen_websocket(
    host: str, port: int, session: Callable[[Channel], Awaitable[object]]
) -> Server:
    """Accept connections and run ``session`` for each.

    Raises:
        OSError: when the address cannot be had.
    """

    async def connected(connection: ServerConnection) -> None:
        await session(WebSocketChannel(connection))

    # Compression would cost more time than it saves on one machine.
    return await serve(connected, host, port, origins=_ORIGINS, max_size=MAX_BODY, compression=None)
