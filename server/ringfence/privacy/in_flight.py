"""Requests under way that can be cut off when their text may travel no longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import httpx2

from .clearance import Clearance
from .refusal import GateRefusal

_T = TypeVar("_T")


class Flight:
    """One request under way, from its first check to the last byte of its answer."""

    def __init__(self, clearance: Clearance | None) -> None:
        self.folders = clearance.folders if clearance is not None else ()
        self._reason = ""
        self._scope: asyncio.Timeout | None = None

    async def wait(self, step: Callable[[], Awaitable[_T]]) -> _T:
        """Take a step of the request, which :meth:`abort` ends at once.

        Raises:
            GateRefusal: when the request was cut off.
        """
        if self._reason:
            raise GateRefusal(self._reason)
        try:
            async with asyncio.timeout(None) as self._scope:
                return await step()
        except TimeoutError:
            if self._reason:
                raise GateRefusal(self._reason) from None
            raise
        finally:
            self._scope = None

    def abort(self, reason: str) -> None:
        """End the request at its present or next step; ``reason`` is a sentence."""
        self._reason = reason
        if self._scope is not None:
            self._scope.reschedule(0)


class Flights:
    """All requests under way beyond this device."""

    def __init__(self) -> None:
        self._flights: set[Flight] = set()

    def __len__(self) -> int:
        return len(self._flights)

    def begin(self, clearance: Clearance | None) -> Flight:
        """Register a request; :meth:`end` must follow."""
        flight = Flight(clearance)
        self._flights.add(flight)
        return flight

    def end(self, flight: Flight) -> None:
        """Forget a request that has ended."""
        self._flights.discard(flight)

    def abort(self, folder: str | None) -> None:
        """Cut off what carries text of ``folder``; None means all that carries any."""
        for flight in list(self._flights):
            if flight.folders and (folder is None or folder in flight.folders):
                flight.abort(
                    "the policy was tightened while the request was under way; it was cut off"
                )


class WatchedStream(httpx2.AsyncByteStream):
    """An answer that can be cut off while it is read."""

    def __init__(self, inner: httpx2.AsyncByteStream, flight: Flight, flights: Flights) -> None:
        self._inner = inner
        self._flight = flight
        self._flights = flights

    async def __aiter__(self) -> AsyncIterator[bytes]:
        chunks = aiter(self._inner)

        async def following() -> bytes | None:
            return await anext(chunks, None)

        while (chunk := await self._flight.wait(following)) is not None:
            yield chunk

    async def aclose(self) -> None:
        """Close the answer; its request has ended."""
        self._flights.end(self._flight)
        await self._inner.aclose()
