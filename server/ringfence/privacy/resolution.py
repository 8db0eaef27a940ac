"""Names resolved, checked against a zone, and held to what was checked."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

import httpx2

from .addresses import Resolver, parse_address, zone_of
from .endpoint import Endpoint
from .refusal import GateRefusal

#: Seconds for which a checked address is used again without asking the resolver.
RESOLUTION_LIFETIME = 30.0

#: Seconds to wait for the resolver.
RESOLUTION_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class _Resolution:
    addresses: tuple[str, ...]
    expires: float


class CheckedHost:
    """The host of one endpoint, whose addresses all lie in the endpoint's zone."""

    def __init__(self, endpoint: Endpoint, resolver: Resolver) -> None:
        self._endpoint = endpoint
        self._resolver = resolver
        self._known: _Resolution | None = None

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Return the addresses of ``host``, in the order in which to try them.

        Raises:
            GateRefusal: when one of them lies outside the endpoint's zone.
            httpx2.ConnectError: when there is none.
        """
        now = time.monotonic()
        if self._known is not None and self._known.expires > now:
            return self._known.addresses
        name = self._endpoint.name
        try:
            async with asyncio.timeout(RESOLUTION_TIMEOUT):
                found = await self._resolver.resolve(host, port)
        except TimeoutError as error:
            raise httpx2.ConnectTimeout(
                f"the host name of {name!r} is not resolved in time"
            ) from error
        except OSError as error:
            raise httpx2.ConnectError(f"the host name of {name!r} cannot be resolved") from error
        outside = next((a for a in found if zone_of(a) > self._endpoint.zone), None)
        if outside is not None:
            self._known = None
            raise GateRefusal(
                f"{name!r} is declared as {self._endpoint.zone.label!r}, but its host resolves "
                f"to {outside}, which is not"
            )
        if not found:
            raise httpx2.ConnectError(f"the host name of {name!r} has no address")
        self._known = _Resolution(tuple(map(str, found)), now + RESOLUTION_LIFETIME)
        return self._known.addresses


def pinned(request: httpx2.Request, address: str) -> httpx2.Request:
    """Return the request, aimed at ``address`` while it still names its host.

    The address that was checked is the one that is connected to, so that a name cannot
    resolve to another place between the check and the connection. The ``Host`` header
    was set when the request was built, and TLS verifies the certificate against the name.
    """
    if parse_address(request.url.host) is not None:
        return request
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": request.url.host},
    )
