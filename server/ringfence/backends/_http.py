"""Requests to one server: through the gate, bounded in time and size, failures by their class."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import httpx2

from ringfence.privacy import MANIFEST, Clearance, Endpoint, Gate, Manifest

from ._failures import Translated, failure_of_status
from .errors import InvalidAnswer, Refused, Unreachable
from .values import Generation, Model

if TYPE_CHECKING:
    from ._websocket import Socket

#: Seconds for a question that needs no generation.
QUESTION_SECONDS = 10.0

#: Bytes of an answer to a question: lists of models of the cloud reach some hundred thousand.
_MOST_ANSWER_BYTES = 16 * 1024 * 1024

#: Bytes of an error's body that are looked at.
_MOST_ERROR_BYTES = 16 * 1024

#: Seconds to wait for the last bytes of an answer whose end was already read.
_REST_SECONDS = 0.05


class Server:
    """One server as its backend module speaks to it.

    Args:
        gate: opens the connections.
        endpoint: where the server is.
        headers: what every request carries, such as the key.
    """

    def __init__(
        self, gate: Gate, endpoint: Endpoint, headers: Mapping[str, str] | None = None
    ) -> None:
        self.endpoint = endpoint
        self._gate = gate
        self._headers = dict(headers) if headers is not None else _bearer(endpoint)
        self._client: httpx2.AsyncClient | None = None
        self._closed = False

    @property
    def name(self) -> str:
        """The backend's configured name."""
        return self.endpoint.name

    async def get(self, path: str, purpose: str) -> Any:
        """Return the JSON at ``path``; such a request carries no workspace text."""
        return await self._ask("GET", path, None, Manifest(None, purpose, self.name))

    async def post(
        self,
        path: str,
        body: Mapping[str, Any],
        purpose: str,
        model: str | None = None,
        seconds: float = QUESTION_SECONDS,
    ) -> Any:
        """Return the JSON answer to a small question without workspace text."""
        manifest = Manifest(None, purpose, self.name, model)
        return await self._ask("POST", path, body, manifest, seconds)

    async def post_text(
        self, path: str, body: Mapping[str, Any], purpose: str, clearance: Clearance, model: Model
    ) -> Any:
        """Return the JSON answer to a question that carries workspace text."""
        manifest = Manifest(clearance, purpose, self.name, model.id, model.zone)
        return await self._ask("POST", path, body, manifest)

    @asynccontextmanager
    async def stream(
        self, path: str, body: Mapping[str, Any], generation: Generation
    ) -> AsyncIterator[Answer]:
        """Post a generation and give its answer, to be read as it comes.

        Leaving the context before the answer's end closes the connection, which stops the
        generation at the server.

        Raises:
            BackendError: by what went wrong.
        """
        manifest = Manifest(
            clearance=generation.clearance,
            purpose=generation.purpose,
            backend=self.name,
            model=generation.model.id,
            served_from=generation.model.zone,
        )
        until = asyncio.get_running_loop().time() + generation.deadline
        # The deadline holds while this waits, and never while the reader does something
        # else: a timeout that spans a ``yield`` would cancel the reader's own work.
        with Translated(self.name):
            async with asyncio.timeout_at(until):
                response = await self._send("POST", path, body, manifest)
        answer = Answer(self.name, response, until)
        try:
            if not response.is_success:
                start = await answer.read(_MOST_ERROR_BYTES)
                raise failure_of_status(
                    self.name, response.status_code, response.headers, start, generation.model.id
                )
            yield answer
            await answer.read_rest()
        finally:
            await answer.aclose()

    @asynccontextmanager
    async def socket(self, path: str, purpose: str) -> AsyncIterator[Socket | None]:
        """Give a WebSocket for questions without workspace text; None where there is none."""
        from ._websocket import Socket, handshake_headers

        manifest = Manifest(None, purpose, self.name)
        with Translated(self.name):
            async with asyncio.timeout(QUESTION_SECONDS):
                response = await self._send("GET", path, None, manifest, handshake_headers())
        try:
            stream = response.extensions.get("network_stream")
            if response.status_code == 101 and stream is not None:
                yield Socket(self.name, stream, QUESTION_SECONDS)
            else:
                yield None
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close all connections, for good."""
        self._closed = True
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        manifest: Manifest,
        seconds: float = QUESTION_SECONDS,
    ) -> Any:
        until = asyncio.get_running_loop().time() + seconds
        with Translated(self.name):
            async with asyncio.timeout_at(until):
                response = await self._send(method, path, body, manifest)
        answer = Answer(self.name, response, until)
        try:
            content = await answer.read(_MOST_ANSWER_BYTES)
            whole = await answer.ended()
        finally:
            await answer.aclose()
        if not response.is_success:
            raise failure_of_status(
                self.name,
                response.status_code,
                response.headers,
                content[:_MOST_ERROR_BYTES],
                manifest.model,
            )
        try:
            return json.loads(content) if whole else None
        except (ValueError, RecursionError) as error:
            raise InvalidAnswer(
                self.name, f"{self.name!r} did not answer in JSON; check its kind and its url."
            ) from error

    async def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        manifest: Manifest,
        more: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        for value in self._headers.values():
            if not (value.isascii() and value.isprintable()):
                raise Refused(self.name, f"The api_key of {self.name!r} is no key; check it.")
        client = self._open()
        headers = {**self._headers, "Accept-Encoding": "identity", **(more or {})}
        content: bytes | None = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            # Half surrogates, which a prompt may hold, cannot be sent in UTF-8.
            content = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        request = client.build_request(
            method, path, content=content, headers=headers, extensions={MANIFEST: manifest}
        )
        return await client.send(request, stream=True)

    def _open(self) -> httpx2.AsyncClient:
        if self._closed:
            raise Unreachable(self.name, f"{self.name!r} is no longer in use.")
        if self._client is None:
            self._client = self._gate.client(self.endpoint)
        return self._client


class Answer:
    """A response that is read as it comes, within a deadline.

    Args:
        name: the backend's configured name.
        response: the open response.
        until: the moment on the event loop's clock after which nothing is waited for.
    """

    def __init__(self, name: str, response: httpx2.Response, until: float) -> None:
        self.kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        self._name = name
        self._response = response
        self._until = until
        self._chunks: AsyncGenerator[bytes, None] = response.aiter_bytes()

    async def chunk(self) -> bytes | None:
        """Return the next bytes; None at the end.

        Raises:
            BackendError: when the deadline passes or the connection breaks.
        """
        with Translated(self._name, begun=True):
            async with asyncio.timeout_at(self._until):
                return await anext(self._chunks, None)

    async def read(self, most: int) -> bytes:
        """Return what comes, up to about ``most`` bytes."""
        read = bytearray()
        while len(read) < most and (chunk := await self.chunk()) is not None:
            read += chunk
        return bytes(read)

    async def ended(self) -> bool:
        """Whether there is nothing more to read; takes one more piece if there is."""
        return await self.chunk() is None

    async def read_rest(self) -> None:
        """Read the last bytes after the protocol's end, so that the connection can be kept.

        A server that has more to say is not waited for; its connection is closed.
        """
        with suppress(httpx2.HTTPError, httpx2.StreamError, TimeoutError):
            async with asyncio.timeout(_REST_SECONDS):
                await anext(self._chunks, None)
                await anext(self._chunks, None)

    async def aclose(self) -> None:
        """Close the response, and the connection unless its answer was read to the end."""
        try:
            await self._chunks.aclose()
        finally:
            await self._response.aclose()


def _bearer(endpoint: Endpoint) -> dict[str, str]:
    return {"Authorization": f"Bearer {endpoint.api_key}"} if endpoint.api_key else {}
