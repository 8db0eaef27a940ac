"""The one way out: every connection of this program is opened here.

The gate asks each request for its manifest, compares the clearance of the text inside
with where the request would go, resolves the host itself, and connects only to an
address that lies in the declared zone. Whatever the code above decides, a request that
fails one of these checks is refused before a byte is sent.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import ssl
from functools import cache

import httpx2

from .addresses import Resolver, SystemResolver
from .admission import origin, why_refused
from .audit import Audit, AuditEntry, NoAudit
from .clearance import MANIFEST, Manifest
from .endpoint import Endpoint
from .in_flight import Flight, Flights, WatchedStream
from .known_secrets import KNOWN_SECRETS
from .refusal import GateRefusal
from .resolution import CheckedHost, pinned
from .zones import Zone

__all__ = ["Gate", "GateRefusal"]

logger = logging.getLogger(__name__)

#: Seconds to wait for a connection, by zone; reading has no limit here, callers set
#: deadlines. What is near answers at once or is not there.
CONNECT_TIMEOUT = {Zone.DEVICE: 2.0, Zone.NETWORK: 2.0, Zone.CLOUD: 5.0}

#: Connections of one client: requests that are cancelled close theirs, so few are idle.
_LIMITS = httpx2.Limits(max_connections=32, max_keepalive_connections=8)


class Gate:
    """Opens clients, one for each endpoint, within a ring.

    Args:
        ceiling: the farthest zone for which a client is ever made. A gate for a
            ``device`` workspace holds neither a client nor a key for anything else.
        audit: where requests that leave the device, and refused ones, are recorded.
        resolver: turns names into addresses; replaced in tests.
        flights: the requests under way; gates of one ring share them.
    """

    def __init__(
        self,
        ceiling: Zone = Zone.CLOUD,
        audit: Audit | None = None,
        resolver: Resolver | None = None,
        flights: Flights | None = None,
    ) -> None:
        self.ceiling = ceiling
        self._audit = audit if audit is not None else NoAudit()
        self._resolver = resolver if resolver is not None else SystemResolver()
        self._flights = flights if flights is not None else Flights()

    def within(self, zone: Zone) -> Gate:
        """Return a gate for the same audit log that is closed beyond ``zone``."""
        return Gate(min(self.ceiling, zone), self._audit, self._resolver, self._flights)

    def abort(self, folder: str | None) -> None:
        """Cut off what is under way beyond this device with text of ``folder``.

        To be called when a policy was tightened, on the event loop of the requests. Their
        senders get a :class:`GateRefusal`.

        Args:
            folder: as in the clearance of the requests; None means every folder.
        """
        self._flights.abort(folder)

    def client(self, endpoint: Endpoint) -> httpx2.AsyncClient:
        """Return a client for ``endpoint``; the caller closes it.

        Redirects are never followed: a redirect is a change of destination, which the
        caller has to ask for again. Proxy settings of the environment are used for the
        cloud only; they would carry local requests away from this device.

        Raises:
            GateRefusal: when the endpoint lies beyond this gate's ceiling, or the
                environment names a proxy that cannot be used.
        """
        if endpoint.zone > self.ceiling:
            raise GateRefusal(
                f"{endpoint.name!r} is in the zone {endpoint.zone.label!r}, and only "
                f"{self.ceiling.label!r} is allowed here"
            )
        proxy = _proxy(endpoint) if endpoint.zone is Zone.CLOUD else None
        connect = CONNECT_TIMEOUT[endpoint.zone]
        return httpx2.AsyncClient(
            transport=_GatedTransport(
                endpoint,
                _plain_transport(endpoint, proxy),
                None if proxy is not None else CheckedHost(endpoint, self._resolver),
                self.ceiling,
                self._audit,
                self._flights,
            ),
            base_url=endpoint.url,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(None, connect=connect, pool=connect),
        )


class _GatedTransport(httpx2.AsyncBaseTransport):
    """Checks each request of one endpoint, then hands it to a plain transport."""

    def __init__(
        self,
        endpoint: Endpoint,
        inner: httpx2.AsyncHTTPTransport,
        host: CheckedHost | None,
        ceiling: Zone,
        audit: Audit,
        flights: Flights,
    ) -> None:
        self._endpoint = endpoint
        self._inner = inner
        self._host = host
        self._ceiling = ceiling
        self._audit = audit
        self._flights = flights

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        manifest = request.extensions.get(MANIFEST)
        if not isinstance(manifest, Manifest):
            unknown = Manifest(None, "unknown", self._endpoint.name)
            missing = f"a request to {self._endpoint.name!r} carries no manifest"
            await self._refuse(unknown, self._endpoint.zone, body, missing)
            raise GateRefusal(missing)
        zone = max(self._endpoint.zone, manifest.served_from or Zone.DEVICE)
        reason = self._why_refused(request, body, manifest, zone)
        if reason is not None:
            await self._refuse(manifest, zone, body, reason)
            raise GateRefusal(reason)
        try:
            addresses = await self._addresses(request.url)
        except GateRefusal as refusal:
            await self._refuse(manifest, zone, body, str(refusal))
            raise
        if zone is Zone.DEVICE:
            return await self._send(request, addresses)
        return await self._send_away(request, addresses, manifest, zone, body)

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _why_refused(
        self, request: httpx2.Request, body: bytes, manifest: Manifest, zone: Zone
    ) -> str | None:
        if zone > self._ceiling:
            return f"{self._endpoint.name!r} would pass the request beyond what is allowed here"
        reason = why_refused(request, body, manifest, self._endpoint, zone)
        if reason is not None:
            return reason
        redact = manifest.clearance is not None and manifest.clearance.redact
        if zone > Zone.DEVICE and redact and KNOWN_SECRETS.found_in(body):
            return f"a known secret was about to be sent to {self._endpoint.name!r} unmasked"
        return None

    async def _addresses(self, url: httpx2.URL) -> tuple[str, ...]:
        """Return where to connect; none when a proxy resolves the name."""
        if self._host is None:
            return ()
        _, host, port = origin(url)
        return await self._host.addresses(host, port)

    async def _send_away(
        self,
        request: httpx2.Request,
        addresses: tuple[str, ...],
        manifest: Manifest,
        zone: Zone,
        body: bytes,
    ) -> httpx2.Response:
        """Record the request, send it, and keep it where it can be cut off."""
        flight = self._flights.begin(manifest.clearance)
        try:
            await self._allow(manifest, zone, body, flight)
            response = await flight.wait(lambda: self._send(request, addresses))
            if not isinstance(response.stream, httpx2.AsyncByteStream):
                raise TypeError("an asynchronous transport gave a synchronous stream")
            response.stream = WatchedStream(response.stream, flight, self._flights)
        except BaseException:
            self._flights.end(flight)
            raise
        return response

    async def _allow(self, manifest: Manifest, zone: Zone, body: bytes, flight: Flight) -> None:
        try:
            entry = _entry(manifest, zone, body)
            await flight.wait(lambda: asyncio.to_thread(self._audit.record, entry))
        except OSError as error:
            raise GateRefusal(
                "the audit log cannot be written "
                f"({error.strerror or 'unknown error'}), and nothing leaves this device "
                "unrecorded; free the disk or mend the folder's permissions"
            ) from error

    async def _refuse(self, manifest: Manifest, zone: Zone, body: bytes, reason: str) -> None:
        try:
            entry = _entry(manifest, zone, body, refused=reason)
            await asyncio.to_thread(self._audit.record, entry)
        except OSError as error:
            logger.warning(
                "A refusal is not in the audit log, which cannot be written (%s).",
                error.strerror or "unknown error",
            )

    async def _send(self, request: httpx2.Request, addresses: tuple[str, ...]) -> httpx2.Response:
        """Send to the first address that accepts a connection."""
        if not addresses:
            return await self._inner.handle_async_request(request)
        for address in addresses[:-1]:
            try:
                return await self._inner.handle_async_request(pinned(request, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._inner.handle_async_request(pinned(request, addresses[-1]))


def _plain_transport(endpoint: Endpoint, proxy: str | None) -> httpx2.AsyncHTTPTransport:
    """Return a transport that checks nothing; only the gated one may use it."""
    tls = _tls(httpx2.URL(endpoint.url).scheme)
    try:
        return httpx2.AsyncHTTPTransport(verify=tls, proxy=proxy, limits=_LIMITS)
    except (ImportError, ValueError) as error:
        raise GateRefusal(
            f"{endpoint.name!r} cannot be reached by the proxy that the environment names; "
            "only http and https proxies are supported"
        ) from error


@cache
def _tls(scheme: str) -> ssl.SSLContext:
    """Return what TLS connections are verified with, made once: reading it takes time.

    A client for plain HTTP gets a context that trusts nobody, as it needs none.
    """
    if scheme == "https":
        return httpx2.create_ssl_context()
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _proxy(endpoint: Endpoint) -> str | None:
    """Return the proxy that the environment names for a server in the cloud, if any."""
    import urllib.request

    url = httpx2.URL(endpoint.url)
    if urllib.request.proxy_bypass(url.host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(url.scheme) or proxies.get("all")


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
