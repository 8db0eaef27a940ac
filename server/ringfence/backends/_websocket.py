"""A WebSocket on a connection that the gate has opened, for a few small messages."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from typing import Any, Protocol

from websockets.exceptions import WebSocketException
from websockets.frames import Frame, Opcode
from websockets.streams import StreamReader

from ._failures import Translated
from .errors import InvalidAnswer

_READ_BYTES = 65536
_LARGEST_MESSAGE = 16 * 1024 * 1024


class NetworkStream(Protocol):
    """What is left of an HTTP connection after it has switched its protocol."""

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Return the next bytes; none at the end."""
        ...

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Send bytes."""
        ...


def handshake_headers() -> dict[str, str]:
    """Return the headers that ask a server to switch."""
    return {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
    }


class Socket:
    """A WebSocket that speaks JSON.

    Args:
        name: the backend's name, for errors.
        stream: the connection, after its switch.
        seconds: how long an answer may take.
    """

    def __init__(self, name: str, stream: NetworkStream, seconds: float) -> None:
        self._name = name
        self._stream = stream
        self._seconds = seconds
        self._reader = StreamReader()

    async def send(self, message: dict[str, Any]) -> None:
        """Send a message."""
        frame = Frame(Opcode.TEXT, json.dumps(message).encode())
        with Translated(self._name, begun=True):
            async with asyncio.timeout(self._seconds):
                await self._stream.write(frame.serialize(mask=True))

    async def receive(self) -> Any:
        """Return the next message.

        Raises:
            BackendError: when none comes, or it is no JSON.
        """
        with Translated(self._name, begun=True):
            async with asyncio.timeout(self._seconds):
                data = await self._message()
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise InvalidAnswer(self._name, f"{self._name!r} sent no JSON.") from error

    async def _message(self) -> bytes:
        parts = b""
        while True:
            frame = await self._frame()
            if frame.opcode is Opcode.CLOSE:
                raise InvalidAnswer(self._name, f"{self._name!r} closed its socket.")
            if frame.opcode in (Opcode.PING, Opcode.PONG):
                continue
            parts += frame.data
            if frame.fin:
                return parts

    async def _frame(self) -> Frame:
        parsing = Frame.parse(self._reader.read_exact, mask=False, max_size=_LARGEST_MESSAGE)
        try:
            while True:
                next(parsing)
                data = await self._stream.read(_READ_BYTES)
                if not data:
                    raise InvalidAnswer(self._name, f"{self._name!r} closed its socket.")
                self._reader.feed_data(data)
        except StopIteration as parsed:
            frame: Frame = parsed.value
            return frame
        except (WebSocketException, EOFError) as error:
            raise InvalidAnswer(self._name, f"{self._name!r} broke its socket's rules.") from error
