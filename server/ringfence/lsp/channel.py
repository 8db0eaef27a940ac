"""The one interface of all transports: messages in, messages out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from .framing import Frame


class Channel(Protocol):
    """A connection to one client."""

    def frames(self) -> AsyncIterator[Frame]:
        """Yield what the client sends, until it closes the connection."""
        ...

    def send(self, body: bytes) -> None:
        """Queue one message; never blocks, and does nothing once the client is gone."""
        ...

    async def aclose(self) -> None:
        """Send what is queued, then close."""
        ...
