"""Newline-delimited JSON, Ollama's way of streaming."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any

import httpx2

from .errors import InvalidAnswer


async def json_lines(response: httpx2.Response, name: str) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the objects of a stream, split at LF bytes and nothing else.

    Raises:
        InvalidAnswer: when a line is no JSON object.
    """
    rest = b""
    async for chunk in response.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield _object(line, name)
    if rest.strip():
        yield _object(rest, name)


def _object(line: bytes, name: str) -> dict[str, Any]:
    try:
        content = json.loads(line)
    except ValueError as error:
        raise InvalidAnswer(name, f"{name!r} sent a line that is no JSON.") from error
    if not isinstance(content, dict):
        raise InvalidAnswer(name, f"{name!r} sent a line that is no object.")
    return content
