"""The one way out: every connection of this program is opened here.

The gate asks each request for its manifest, compares the clearance of the text inside
with where the request would go, resolves the host itself, and connects only to an
address that lies in the declared zone. Whatever the code above decides, a request that
fails one of these checks is refused before a byte is sent.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

import httpx2

from .addresses import Resolver, SystemResolver, parse_address, zone_of
from .audit import Audit, AuditEntry, NoAudit
from .clearance import MANIFEST, Manifest
from .endpoint import Endpoint
from .zones import Zone

#: A request without workspace text may carry a body of this many bytes: enough to name a
#: model in a probe, too little for a file.
LARGEST_UNLABELLED_BODY = 1024

#: Seconds for which a checked address is used again without asking the resolver.
RESOLUTION_LIFETIME = 30.0

#: Seconds to wait for a connection; reading has no limit here, callers set deadlines.
CONNECT_TIMEOUT = 5.0


class GateRefusal(httpx2.TransportError):
    """A request was refused at the gate; nothing was sent.

    The message is one sentence with the reason, without any text of the request.
    """


class Gate:
    """Opens clients, one for each endpoint, within a ring.

    Args:
        ceiling: the farthest zone for which a client is ever made. A gate for a
            ``device`` workspace holds neither a client nor a key for anything else.
        audit: where requests that leave the device, and refused ones, are recorded.
        resolver: turns names into addresses; replaced in tests.
    """

    def __init__(
        self,
        ceiling: Zone = Zone.CLOUD,
        audit: Audit | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        self.ceiling = ceiling
        self._audit = audit if audit is not None else NoAudit()
        self._resolver = resolver if resolver is not None else SystemResolver()

    def within(self, zone: Zone) -> Gate:
        """Return a gate for the same audit log that is closed beyond ``zone``."""
        return Gate(min(self.ceiling, zone), self._audit, self._resolver)

    def client(self, endpoint: Endpoint) -> httpx2.AsyncClient:
        """Return a client for ``endpoint``; the caller closes it.

        Redirects are never followed: a redirect is a change of destination, which the
        caller has to ask for again. Proxy settings of the environment are used for the
        cloud only; they would carry local requests away from this device.

        Raises:
            GateRefusal: when the endpoint lies beyond this gate's ceiling.
        """
        if endpoint.zone > self.ceiling:
            raise GateRefusal(
                f"{endpoint.name!r} is in the zone {endpoint.zone.label!r}, and only "
                f"{self.ceiling.label!r} is allowed here"
            )
        cloud = endpoint.zone is Zone.CLOUD
        return httpx2.AsyncClient(
            transport=_GatedTransport(endpoint, self._audit, self._resolver),
            mounts=_proxies(endpoint, self._audit, self._resolver) if cloud else None,
            base_url=endpoint.url,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=CONNECT_TIMEOUT, pool=CONNECT_TIMEOUT),
        )


@dataclass(frozen=True, slots=True)
class _Resolution:
    addresses: tuple[str, ...]
    expires: float


class _GatedTransport(httpx2.AsyncBaseTransport):
    """Checks each request of one endpoint, then hands it to a plain transport."""

    def __init__(
        self, endpoint: Endpoint, audit: Audit, resolver: Resolver, proxy: str | None = None
    ) -> None:
        self._endpoint = endpoint
        self._host = httpx2.URL(endpoint.url).host
        self._audit = audit
        self._resolver = resolver
        self._proxied = proxy is not None
        self._inner = httpx2.AsyncHTTPTransport(
            trust_env=False,
            proxy=proxy,
            limits=httpx2.Limits(max_connections=32, max_keepalive_connections=8),
        )
        self._resolutions: dict[tuple[str, int], _Resolution] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        manifest = request.extensions.get(MANIFEST)
        if not isinstance(manifest, Manifest):
            raise GateRefusal(f"a request to {self._endpoint.name!r} carries no manifest")
        zone = max(self._endpoint.zone, manifest.served_from or Zone.DEVICE)
        body = await request.aread()
        try:
            self._check_clearance(request, manifest, zone, body)
            addresses = () if self._proxied else await self._check_address(request.url)
        except GateRefusal as refusal:
            self._audit.record(_entry(manifest, zone, body, refused=str(refusal)))
            raise
        if zone > Zone.DEVICE:
            try:
                self._audit.record(_entry(manifest, zone, body))
            except OSError as error:
                raise GateRefusal(
                    "the audit log cannot be written "
                    f"({error.strerror or 'unknown error'}), and nothing leaves this device "
                    "unrecorded; free the disk or mend the folder's permissions"
                ) from error
        return await self._send(request, addresses)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _send(self, request: httpx2.Request, addresses: tuple[str, ...]) -> httpx2.Response:
        """Send to the first address that accepts a connection."""
        for address in addresses[:-1]:
            try:
                return await self._inner.handle_async_request(_pinned(request, address))
            except httpx2.ConnectError:
                continue
        last = addresses[-1] if addresses else None
        return await self._inner.handle_async_request(_pinned(request, last))

    def _check_clearance(
        self, request: httpx2.Request, manifest: Manifest, zone: Zone, body: bytes
    ) -> None:
        if manifest.clearance is None:
            if len(body) > LARGEST_UNLABELLED_BODY:
                raise GateRefusal(
                    f"a request to {self._endpoint.name!r} without clearance carries "
                    f"{len(body)} bytes; {LARGEST_UNLABELLED_BODY} are allowed"
                )
        elif zone > manifest.clearance.zone:
            raise GateRefusal(
                f"text that may reach {manifest.clearance.zone.label!r} was about to be sent "
                f"to {self._endpoint.name!r} in {zone.label!r}"
            )
        if request.url.host != self._host:
            raise GateRefusal(
                f"a request of {self._endpoint.name!r} was about to be sent to another host"
            )

    async def _check_address(self, url: httpx2.URL) -> tuple[str, ...]:
        """Return the addresses of the host in ``url``, all in the endpoint's zone."""
        port = url.port or (443 if url.scheme == "https" else 80)
        known = self._resolutions.get((url.host, port))
        now = time.monotonic()
        if known is not None and known.expires > now:
            return known.addresses
        try:
            addresses = await self._resolver.resolve(url.host, port)
        except OSError as error:
            raise httpx2.ConnectError(
                f"the host name of {self._endpoint.name!r} cannot be resolved"
            ) from error
        outside = [address for address in addresses if zone_of(address) > self._endpoint.zone]
        if outside:
            raise GateRefusal(
                f"{self._endpoint.name!r} is declared as {self._endpoint.zone.label!r}, but its "
                f"host resolves to {outside[0]}, which is not"
            )
        if not addresses:
            raise httpx2.ConnectError(f"the host name of {self._endpoint.name!r} has no address")
        resolution = _Resolution(tuple(map(str, addresses)), now + RESOLUTION_LIFETIME)
        self._resolutions[(url.host, port)] = resolution
        return resolution.addresses


def _proxies(
    endpoint: Endpoint, audit: Audit, resolver: Resolver
) -> dict[str, httpx2.AsyncBaseTransport]:
    """Return transports through the proxies that the environment names, for the cloud only."""
    import urllib.request

    host = httpx2.URL(endpoint.url).host
    if urllib.request.proxy_bypass(host):
        return {}
    return {
        f"{scheme}://": _GatedTransport(endpoint, audit, resolver, proxy=proxy)
        for scheme, proxy in urllib.request.getproxies().items()
        if scheme in ("http", "https")
    }


def _pinned(request: httpx2.Request, address: str | None) -> httpx2.Request:
    """Return the request, aimed at ``address`` while it still names its host.

    The address that was checked is the one that is connected to, so that a name cannot
    resolve to another place between the check and the connection. The ``Host`` header
    was set when the request was built, and TLS verifies the certificate against the name.
    """
    if address is None or parse_address(request.url.host) is not None:
        return request
    extensions = dict(request.extensions)
    extensions.setdefault("sni_hostname", request.url.host)
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions=extensions,
    )


def _entry(manifest: Manifest, zone: Zone, body: bytes, refused: str = "") -> AuditEntry:
    clearance = manifest.clearance
    return AuditEntry(
        backend=manifest.backend,
        model=manifest.model,
        zone=zone.label,
        purpose=manifest.purpose,
        workspaces=clearance.folders if clearance else (),
        files=clearance.files if clearance else (),
        sent_bytes=len(body),
        sha256=hashlib.sha256(body).hexdigest(),
        refused=refused,
    )
