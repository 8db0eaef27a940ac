"""Downloads over HTTP, all through the gate: redirects, stalls, and resuming."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import httpx2

from ringfence.engine.errors import SourceFailed
from ringfence.privacy import MANIFEST, Endpoint, Gate, GateRefusal, Manifest, Zone

from .partial import CHUNK, Partial

#: What downloads are called in the audit log.
NAME = "model download"

#: Seconds without a byte after which a connection counts as broken.
STALL_TIMEOUT = 30.0

#: Failures in a row, without a byte in between, after which a download is given up.
ATTEMPTS = 3

#: The most bytes of a document (an index page, a manifest).
LARGEST_DOCUMENT = 16 * 1024 * 1024

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 8


class Web:
    """Reads documents and downloads files.

    Args:
        gate: opens the connections.
        retry_delay: seconds to wait after the first failure; doubled after each.
    """

    def __init__(self, gate: Gate, retry_delay: float = 0.5) -> None:
        self._gate = gate
        self._retry_delay = retry_delay

    @asynccontextmanager
    async def open(
        self, url: str, headers: Mapping[str, str] | None = None, *, follow: bool = True
    ) -> AsyncGenerator[httpx2.Response]:
        """Send a GET request and yield the response, its body not yet read.

        Redirects are followed by asking the gate for each new place. What identifies the
        user goes to the first host only, and never over a connection that a redirect
        made weaker.

        Raises:
            SourceFailed: when a redirect leads nowhere or to a weaker connection.
            httpx2.TransportError: when the connection fails.
        """
        sent = {"Accept-Encoding": "identity", **(headers or {})}
        target = _parse(url)
        for _ in range(_MOST_REDIRECTS):
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(self._gate.client(_endpoint(target)))
                response = await stack.enter_async_context(
                    client.stream(
                        "GET",
                        target,
                        headers=sent,
                        extensions={MANIFEST: Manifest(None, purpose=NAME, backend=NAME)},
                        timeout=httpx2.Timeout(STALL_TIMEOUT, connect=5.0),
                    )
                )
                if not (follow and response.status_code in _REDIRECTS):
                    yield response
                    return
                following = target.join(response.headers.get("Location", ""))
            if target.scheme == "https" and following.scheme != "https":
                raise SourceFailed(f"{target.host} redirects to an unprotected address")
            if (following.host, following.port) != (target.host, target.port):
                sent.pop("Authorization", None)
            target = following
        raise SourceFailed(f"{target.host} redirects without end")

    async def document(
        self, url: str, headers: Mapping[str, str] | None = None
    ) -> tuple[httpx2.Response, bytes]:
        """Return a small document and the response it came in; any status is returned.

        Raises:
            SourceFailed: when it cannot be had.
        """

        async def attempt() -> tuple[httpx2.Response, bytes]:
            body = bytearray()
            async with self.open(url, headers) as response:
                async for piece in response.aiter_bytes():
                    body += piece
                    if len(body) > LARGEST_DOCUMENT:
                        raise SourceFailed(f"the answer of {response.url.host} is far too large")
            return response, bytes(body)

        failures = 0
        while True:
            try:
                return await attempt()
            except httpx2.TransportError as error:
                failures += 1
                await self.pause(url, error, failures)

    async def download(
        self,
        url: str,
        partial: Partial,
        headers: Mapping[str, str] | None = None,
        *,
        limit: int,
        grown: Callable[[int], None],
    ) -> None:
        """Download a file, continuing where ``partial`` ends.

        Args:
            url: the file.
            partial: what is there already, and what grows.
            headers: sent with each request.
            limit: the most bytes the file may have; 0 for no limit.
            grown: called with the size of ``partial`` whenever it changes.

        Raises:
            SourceFailed: when the server refuses, or the connection keeps breaking.
            NotEnoughSpace: when the disk is full.
        """
        failures = 0
        while True:
            before = partial.size
            try:
                await self._continue(url, partial, headers or {}, limit, grown)
            except httpx2.TransportError as error:
                failures = 1 if partial.size > before else failures + 1
                await self.pause(url, error, failures)
            else:
                return

    async def pause(self, url: str, error: httpx2.TransportError, failures: int) -> None:
        """Wait before the next attempt at ``url``.

        Raises:
            SourceFailed: when another attempt is pointless or too many failed.
        """
        host = _parse(url).host
        if isinstance(error, GateRefusal):
            raise SourceFailed(f"the gate refused: {error}") from error
        if failures >= ATTEMPTS:
            raise SourceFailed(_broken(host, error)) from error
        await asyncio.sleep(self._retry_delay * 2 ** (failures - 1))

    async def _continue(
        self,
        url: str,
        partial: Partial,
        headers: Mapping[str, str],
        limit: int,
        grown: Callable[[int], None],
    ) -> None:
        resume = {"Range": f"bytes={partial.size}-"} if partial.size else {}
        async with self.open(url, {**headers, **resume}) as response:
            host = response.url.host
            if response.status_code == 416 and _complete_size(response) == partial.size:
                return
            if response.status_code in (200, 416) or _range_start(response) not in (
                None,
                partial.size,
            ):
                await asyncio.to_thread(partial.restart)
            if response.status_code == 416:
                raise httpx2.ReadError("the file is shorter than what was fetched before")
            if response.status_code not in (200, 206):
                raise SourceFailed(refusal(host, response.status_code))
            pending = bytearray()

            async def flush() -> None:
                if limit and partial.size + len(pending) > limit:
                    await asyncio.to_thread(partial.restart)
                    raise SourceFailed(f"{host} sends more than the file should have")
                await asyncio.to_thread(partial.append, bytes(pending))
                pending.clear()
                grown(partial.size)

            try:
                async for piece in response.aiter_raw():
                    pending += piece
                    if len(pending) >= CHUNK:
                        await flush()
            except httpx2.TransportError:
                await flush()
                raise
            await flush()


def refusal(host: str, status: int) -> str:
    """Return the sentence for an HTTP status that is not a success."""
    if status in (401, 403):
        return f"{host} refuses access (HTTP {status}); check the token or the index's password"
    if status == 404:
        return f"{host} does not have it (HTTP 404)"
    if status == 429:
        return f"{host} asks to slow down (HTTP 429); try again later"
    return f"{host} answers with HTTP {status}"


def _broken(host: str, error: httpx2.TransportError) -> str:
    if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return f"{host} cannot be reached; check the network or the proxy"
    if isinstance(error, httpx2.TimeoutException):
        return f"{host} stopped sending; try again, what was fetched is kept"
    return f"the connection to {host} keeps breaking; try again, what was fetched is kept"


def _parse(url: str) -> httpx2.URL:
    try:
        return httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise SourceFailed("the configured address is no web address") from error


def _endpoint(url: httpx2.URL) -> Endpoint:
    if url.scheme not in ("http", "https") or not url.host:
        raise SourceFailed(f"{str(url.copy_with(userinfo=b''))!r} is no web address")
    port = f":{url.port}" if url.port else ""
    host = f"[{url.host}]" if ":" in url.host else url.host
    return Endpoint(name=NAME, url=f"{url.scheme}://{host}{port}", zone=Zone.CLOUD)


def _range_start(response: httpx2.Response) -> int | None:
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _complete_size(response: httpx2.Response) -> int | None:
    match = re.fullmatch(r"bytes \*/(\d+)", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None
