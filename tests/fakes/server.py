"""What all fakes share: models, scripts, and streaming by a script."""

from __future__ import annotations

import asyncio
import json
import re
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .http import Exchange, HttpServer, Request
from .model import FakeModel
from .script import Script

_PIECE = re.compile(r"\s*\S+|\s+$")


class Failure(Exception):
    """Ends a request with an error answer."""

    def __init__(self, status: int, content: Any, kind: str = "application/json") -> None:
        super().__init__(status)
        self.status = status
        self.content = content
        self.kind = kind


@dataclass(slots=True)
class Wire:
    """One generation in a server's own protocol, as bytes.

    Attributes:
        head: what comes before the first piece.
        pieces: one entry for each piece of text.
        tail: what comes after the last piece, without the end.
        end: what marks the end of a complete answer.
        error: what an error in mid-stream looks like.
        ping: what comes between events and means nothing.
    """

    kind: str
    head: bytes = b""
    pieces: list[bytes] = field(default_factory=list)
    tail: bytes = b""
    end: bytes = b""
    error: bytes = b""
    ping: bytes = b": ping\n\n"


class FakeServer(HttpServer):
    """A server with models that answers by a script.

    Args:
        models: what it serves; by default one coder model.
        port: where to listen; by default any free port.
        api_key: the key that it wants, if any.
        text: the usual answer.
    """

    #: The paths that generate.
    generating: tuple[str, ...] = ()
    default_model = FakeModel()

    def __init__(
        self,
        models: Sequence[FakeModel] | None = None,
        *,
        port: int = 0,
        api_key: str | None = None,
        text: str | Callable[[dict[str, Any]], str] = "return a + b",
    ) -> None:
        super().__init__(port)
        self.models = list(models) if models is not None else [self.default_model]
        self.api_key = api_key
        self._text = text
        self._scripts: deque[Script] = deque()
        self._standing = Script()

    @property
    def generations(self) -> list[Request]:
        """The requests that generate, in order."""
        return [request for request in self.requests if request.path in self.generating]

    def say(self, text: str | Callable[[dict[str, Any]], str]) -> None:
        """Answer with ``text`` from now on, or with what a function of the body returns."""
        self._text = text

    def script(self, *scripts: Script) -> None:
        """Treat the next generations by ``scripts``, one each."""
        self._scripts.extend(scripts)

    def always(self, script: Script) -> None:
        """Treat every generation that has no script of its own by ``script``."""
        self._standing = script

    async def handle(self, exchange: Exchange) -> None:
        """Answer by the route; a ``Failure`` becomes an error answer."""
        try:
            await self.route(exchange)
        except Failure as failure:
            await exchange.answer(failure.content, failure.status, failure.kind)

    async def route(self, exchange: Exchange) -> None:
        """Answer a request; each fake has its own routes."""
        raise NotImplementedError

    def next_script(self) -> Script:
        """Return the script for a generation that begins now."""
        return self._scripts.popleft() if self._scripts else self._standing

    def pieces_for(self, script: Script, body: dict[str, Any], limit: int | None) -> list[str]:
        """Return the pieces of text to stream, no more than ``limit`` of them."""
        if script.pieces is not None:
            pieces = list(script.pieces)
        else:
            text = self._text(body) if callable(self._text) else self._text
            pieces = split_pieces(text)
        return pieces if limit is None or limit < 0 else pieces[:limit]

    async def play(self, exchange: Exchange, script: Script, wire: Wire) -> None:
        """Stream ``wire`` as ``script`` says."""
        await asyncio.sleep(script.delay)
        if script.status != 200 or script.body is not None:
            await exchange.answer(script.body, script.status, headers=script.headers)
            return
        await exchange.begin(200, wire.kind, **(script.headers or {}))
        if script.raw is not None:
            await self._write(exchange, script, script.raw)
            await exchange.end()
            return
        await self._write(exchange, script, wire.head)
        for number in range(len(wire.pieces) + 1):
            if number == script.hold_after:
                await asyncio.Event().wait()
            if number == script.cut_after:
                exchange.cut()
                return
            if number == script.error_after:
                await self._write(exchange, script, wire.error)
                await exchange.end()
                return
            if number < len(wire.pieces):
                await asyncio.sleep(script.piece_delay)
                if script.pings:
                    await self._write(exchange, script, wire.ping)
                await self._write(exchange, script, wire.pieces[number])
        await self._write(exchange, script, wire.tail)
        if not script.leave_out_end:
            await self._write(exchange, script, wire.end)
        await exchange.end()

    async def _write(self, exchange: Exchange, script: Script, data: bytes) -> None:
        if script.crlf:
            data = data.replace(b"\n", b"\r\n")
        size = script.split or max(1, len(data))
        for start in range(0, len(data), size):
            await exchange.write(data[start : start + size])
            if script.split:
                # Otherwise the pieces would be joined again on their way.
                await asyncio.sleep(0)

    def find(self, name: str) -> FakeModel | None:
        """Return the model of that name."""
        return next((model for model in self.models if model.id == name), None)


def split_pieces(text: str) -> list[str]:
    """Split text into words with the space before them, as a stream of tokens looks."""
    return _PIECE.findall(text)


def count_tokens(text: str) -> int:
    """Count tokens by the fakes' own measure: one for each four characters, rounded up."""
    return -(-len(text) // 4)


def sse(event: Any, name: str | None = None) -> bytes:
    """Write a server-sent event, characters beyond ASCII as they are."""
    data = event if isinstance(event, str) else json.dumps(event, ensure_ascii=False)
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {data}\n\n".encode()


def error_body(message: str, kind: str, code: Any = None, **more: Any) -> dict[str, Any]:
    """Return an error object in OpenAI's form."""
    return {"error": {"message": message, "type": kind, "code": code, **more}}
