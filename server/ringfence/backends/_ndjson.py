"""Newline-delimited JSON, Ollama's way of streaming."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

from ._failures import failure_in_stream
from ._http import Answer
from ._lines import LineSplitter, LineTooLong
from ._sse import object_of
from .errors import InvalidAnswer


async def json_lines(answer: Answer, name: str, model: str) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the objects of a stream, up to and with the one that says ``done``.

    Raises:
        BackendError: when a line reports an error or is no JSON object, or when the stream
            ends without ``done``: it was then cut short.
    """
    splitter = LineSplitter(carriage_return=False)
    ended = False
    while not ended:
        chunk = await answer.chunk()
        ended = chunk is None
        try:
            lines = [splitter.rest()] if chunk is None else splitter.feed(chunk)
        except LineTooLong as error:
            raise InvalidAnswer(name, f"{name!r} sent a line without end.") from error
        for line in lines:
            if not line.strip():
                continue
            content = object_of(line, name)
            if content.get("error"):
                raise failure_in_stream(name, content["error"], model)
            yield content
            if content.get("done") is True:
                return
    raise InvalidAnswer(name, f"The answer of {name!r} was cut short.")
