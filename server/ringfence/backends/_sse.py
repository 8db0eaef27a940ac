"""Server-sent events of OpenAI-compatible servers, read without trusting them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import httpx2

from .errors import InvalidAnswer

#: More than this in one line is no event of a language model.
_LONGEST_LINE = 4 * 1024 * 1024


async def json_events(
    response: httpx2.Response, name: str, last: str | None = None
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the JSON objects of a stream up to its end.

    Pings and other fields than ``data`` are passed over.

    Args:
        response: an open response.
        name: the backend's name, for errors.
        last: the ``type`` of the last event, for servers that send no ``[DONE]``.

    Raises:
        InvalidAnswer: when an event is no JSON object, or the stream ends without its
            last event: it was then cut short.
    """
    async for data in _data(response.aiter_bytes(), name):
        if data == b"[DONE]":
            return
        try:
            event = json.loads(data)
        except ValueError as error:
            raise InvalidAnswer(name, f"{name!r} sent an event that is no JSON.") from error
        if not isinstance(event, dict):
            raise InvalidAnswer(name, f"{name!r} sent an event that is no object.")
        yield event
        if last is not None and event.get("type") == last:
            return
    raise InvalidAnswer(name, f"The answer of {name!r} was cut short.")


async def _data(chunks: AsyncIterator[bytes], name: str) -> AsyncGenerator[bytes, None]:
    """Yield the data of each event.

    Lines are split on bytes: LF, CR or both, and nothing else. Text functions also split
    at U+2028 and U+0085, which stand unescaped in JSON and so in code.
    """
    parts: list[bytes] = []
    async for line in _lines(chunks, name):
        if not line:
            if parts:
                yield b"\n".join(parts)
                parts = []
        elif line.startswith(b"data:"):
            parts.append(line[5:].removeprefix(b" "))
    if parts:
        yield b"\n".join(parts)


async def _lines(chunks: AsyncIterator[bytes], name: str) -> AsyncGenerator[bytes, None]:
    rest = b""
    async for chunk in chunks:
        # A CR at the end of a chunk may be the first half of CR LF: it waits for the next.
        rest += chunk
        held = rest.endswith(b"\r")
        text = rest[:-1] if held else rest
        *lines, rest = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        if held:
            rest += b"\r"
        for line in lines:
            yield line
        if len(rest) > _LONGEST_LINE:
            raise InvalidAnswer(name, f"{name!r} sent a line without end.")
    if rest:
        yield rest.removesuffix(b"\r")
