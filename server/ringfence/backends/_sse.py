"""Server-sent events of language models, read without trusting them."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

from ._failures import failure_in_stream
from ._http import Answer
from ._json import dict_of
from ._lines import LineSplitter, LineTooLong
from .errors import InvalidAnswer

_DONE = b"[DONE]"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

#: Bytes of an answer that is no stream, as far as it is looked at.
_MOST_JSON_BYTES = 64 * 1024


class SseParser:
    """Turns bytes, cut anywhere, into the data of events; pings and other fields pass by."""

    def __init__(self) -> None:
        self._lines = LineSplitter(carriage_return=True)
        self._data: list[bytes] = []
        self._first = True

    def feed(self, data: bytes) -> list[bytes]:
        """Return the data of each event that ``data`` completes.

        Raises:
            LineTooLong: when a line has no end.
        """
        return self._events(self._lines.feed(data))

    def end(self) -> list[bytes]:
        """Return the data of the last event, if the stream ended without an empty line."""
        return self._events([self._lines.rest(), b""])

    def _events(self, lines: list[bytes]) -> list[bytes]:
        events = []
        for line in lines:
            if self._first:
                self._first = False
                line = line.removeprefix(_BYTE_ORDER_MARK)  # noqa: PLW2901
            if not line and self._data:
                events.append(b"\n".join(self._data))
                self._data = []
            elif line.startswith(b"data:"):
                self._data.append(line[5:].removeprefix(b" "))
        return events


async def json_events(
    answer: Answer,
    name: str,
    model: str,
    ends: Callable[[Mapping[str, Any]], bool] = lambda event: False,
) -> AsyncGenerator[dict[str, Any], None]:
    """Yield the JSON objects of a stream up to its end.

    Args:
        answer: an open answer.
        name: the backend's name, for errors.
        model: the model that was asked, for errors.
        ends: whether an event is the last one, for servers that send no ``[DONE]``.

    Raises:
        BackendError: when the stream reports an error, when an event is no JSON object, or
            when the stream ends without its last event: it was then cut short.
    """
    if answer.kind == "application/json":
        raise await _not_streamed(answer, name, model)
    parser = SseParser()
    ended = False
    while not ended:
        chunk = await answer.chunk()
        ended = chunk is None
        try:
            batch = parser.end() if chunk is None else parser.feed(chunk)
        except LineTooLong as error:
            raise InvalidAnswer(name, f"{name!r} sent a line without end.") from error
        for data in batch:
            if data == _DONE:
                return
            event = object_of(data, name)
            if event.get("error") or event.get("object") == "error":
                raise failure_in_stream(name, event.get("error") or event, model)
            yield event
            if ends(event):
                return
    raise InvalidAnswer(name, f"The answer of {name!r} was cut short.")


def object_of(data: bytes, name: str) -> dict[str, Any]:
    """Return the JSON object that ``data`` is.

    Raises:
        InvalidAnswer: when it is none.
    """
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidAnswer(name, f"{name!r} sent a piece that is no JSON.") from error
    if not isinstance(content, dict):
        raise InvalidAnswer(name, f"{name!r} sent a piece that is no object.")
    return content


async def _not_streamed(answer: Answer, name: str, model: str) -> Exception:
    """Return what is wrong with an answer that is one piece of JSON instead of a stream."""
    content = dict_of(object_of(await answer.read(_MOST_JSON_BYTES) or b"{}", name))
    if content.get("error"):
        return failure_in_stream(name, content["error"], model)
    return InvalidAnswer(name, f"{name!r} did not stream its answer; check its kind and its url.")
