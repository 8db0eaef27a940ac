"""TCP: one session for each connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from ringfence.lsp.channel import Channel
from ringfence.lsp.framing import FrameParser

from .streams import StreamChannel, WriterOutput

logger = logging.getLogger(__name__)

_CHUNK = 64 * 1024


async def listen_tcp(
    host: str, port: int, serve: Callable[[Channel], Awaitable[object]]
) -> asyncio.Server:
    """Accept connections and run ``serve`` for each.

    Headers are read strictly: a web page that posts to the port sends an HTTP request
    line first, and is cut off there.

    Raises:
        OSError: when the address cannot be had.
    """

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        parser = FrameParser(strict=True)
        await serve(StreamChannel(lambda: reader.read(_CHUNK), WriterOutput(writer), parser))

    return await asyncio.start_server(connected, host, port)
