"""Requests to one server: through the gate, with a deadline, and failures by their class."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from ringfence.privacy import MANIFEST, Clearance, Endpoint, Gate, GateRefusal, Manifest

from .errors import (
    BackendError,
    ContextOverflow,
    DeadlineExceeded,
    InvalidAnswer,
    ModelMissing,
    OutOfRing,
    Overloaded,
    Refused,
    Unreachable,
    Unsupported,
)
from .values import Generation

#: Seconds for a question that needs no generation.
QUESTION_SECONDS = 10.0

#: Bytes of an error's body that are looked at.
_MOST_ERROR_BYTES = 16 * 1024


class Server:
    """One server as its backend module speaks to it.

    Args:
        gate: opens the connections.
        endpoint: where the server is.
        headers: what every request carries, such as the key.
    """

    def __init__(self, gate: Gate, endpoint: Endpoint, headers: Mapping[str, str]) -> None:
        self.endpoint = endpoint
        self._gate = gate
        self._headers = dict(headers)
        self._client: httpx2.AsyncClient | None = None

    async def get(self, path: str, purpose: str) -> Any:
        """Return the JSON at ``path``; such a request carries no workspace text."""
        return await self._ask("GET", path, None, purpose)

    async def post(self, path: str, body: Mapping[str, Any], purpose: str) -> Any:
        """Return the JSON answer to a small question without workspace text."""
        return await self._ask("POST", path, body, purpose)

    async def post_text(
        self, path: str, body: Mapping[str, Any], purpose: str, clearance: Clearance, model: str
    ) -> Any:
        """Return the JSON answer to a question that carries workspace text."""
        return await self._ask("POST", path, body, purpose, clearance, model)

    @asynccontextmanager
    async def stream(
        self, path: str, body: Mapping[str, Any], generation: Generation
    ) -> AsyncIterator[httpx2.Response]:
        """Post a generation and give its response, to be read as it comes.

        Leaving the context closes the connection, which stops the generation.

        Raises:
            BackendError: by what went wrong, inside the context too.
        """
        manifest = Manifest(
            clearance=generation.clearance,
            purpose=generation.purpose,
            backend=self.endpoint.name,
            model=generation.model.id,
            served_from=generation.model.zone,
        )
        with _translated(self.endpoint.name):
            async with asyncio.timeout(generation.deadline):
                request = self._build("POST", path, body, manifest)
                response = await self._open().send(request, stream=True)
                try:
                    if response.is_error:
                        raise await _failure(self.endpoint.name, response, generation.model.id)
                    yield response
                finally:
                    await response.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        purpose: str,
        clearance: Clearance | None = None,
        model: str | None = None,
    ) -> Any:
        name = self.endpoint.name
        manifest = Manifest(clearance, purpose, name, model)
        with _translated(name):
            async with asyncio.timeout(QUESTION_SECONDS):
                request = self._build(method, path, body, manifest)
                response = await self._open().send(request)
        if response.is_error:
            raise await _failure(name, response, model)
        try:
            return response.json()
        except ValueError as error:
            raise InvalidAnswer(name, f"{name!r} answered {path} with no JSON.") from error

    def _build(
        self, method: str, path: str, body: Mapping[str, Any] | None, manifest: Manifest
    ) -> httpx2.Request:
        return self._open().build_request(
            method, path, json=body, headers=self._headers, extensions={MANIFEST: manifest}
        )

    def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = self._gate.client(self.endpoint)
        return self._client


class _translated:  # noqa: N801 - used as a statement
    """Turns what httpx2 and the deadline raise into failure classes."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        name = self._name
        match error:
            case None | BackendError():
                return
            case GateRefusal():
                raise OutOfRing(name, f"Not sent: {error}.") from error
            case TimeoutError():
                raise DeadlineExceeded(name, f"{name!r} did not answer in time.") from error
            case httpx2.ConnectError() | httpx2.ConnectTimeout() | httpx2.PoolTimeout():
                raise Unreachable(
                    name, f"Nothing answers at the address of {name!r}; is the server running?"
                ) from error
            case httpx2.TransportError() | httpx2.StreamError():
                raise InvalidAnswer(name, f"{name!r} broke off its answer.") from error
            case _:
                return


async def _failure(name: str, response: httpx2.Response, model: str | None) -> BackendError:
    """Return the failure class of an error response."""
    body = (await response.aread())[:_MOST_ERROR_BYTES]
    error = _error_object(body)
    status = response.status_code
    kind = str(error.get("type", ""))
    words = str(error.get("message", "")).lower()
    if kind == "exceed_context_size_error" or "context length" in words:
        return overflow(name, error)
    if status in (429, 503, 529):
        return Overloaded(
            name, f"{name!r} is busy or still loading its model.", _retry_after(response)
        )
    if status in (401, 403):
        return Refused(name, f"{name!r} refuses the key (HTTP {status}); check its api_key.")
    if status == 404:
        what = f"the model {model!r}" if model else "what was asked"
        return ModelMissing(name, f"{name!r} does not have {what}.")
    if status == 501:
        return Unsupported(name, f"{name!r} cannot do this with {model!r}.")
    if status >= 500:
        return InvalidAnswer(name, f"{name!r} failed (HTTP {status}).")
    return Refused(name, f"{name!r} refused the request (HTTP {status}).")


def overflow(name: str, error: Mapping[str, Any]) -> ContextOverflow:
    """Return the failure for a prompt that does not fit, with the server's numbers."""
    tokens, context = error.get("n_prompt_tokens"), error.get("n_ctx")
    return ContextOverflow(
        name,
        f"The prompt does not fit the context window of {name!r}.",
        tokens if isinstance(tokens, int) else None,
        context if isinstance(context, int) else None,
    )


def _error_object(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except ValueError:
        return {}
    error = content.get("error", content) if isinstance(content, dict) else {}
    if isinstance(error, str):
        return {"message": error}
    return error if isinstance(error, dict) else {}


def _retry_after(response: httpx2.Response) -> float | None:
    value = response.headers.get("retry-after", "")
    return float(value) if value.isdigit() else None
