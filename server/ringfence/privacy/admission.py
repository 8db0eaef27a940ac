"""Whether one request may go where it is about to go."""

from __future__ import annotations

import httpx2

from .clearance import Manifest
from .endpoint import Endpoint
from .zones import Zone

#: A request without workspace text may carry a body of this many bytes: enough to name a
#: model in a probe, too little for a file.
LARGEST_UNLABELLED_BODY = 1024

#: The same for its address and headers: enough for a signed download and a key.
LARGEST_UNLABELLED_HEAD = 16 * 1024


def origin(url: httpx2.URL) -> tuple[str, str, int]:
    """Return what must stay the same for a request to go to the same server."""
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def why_refused(
    request: httpx2.Request, body: bytes, manifest: Manifest, endpoint: Endpoint, zone: Zone
) -> str | None:
    """Return why the gate refuses ``request``, in one sentence, or None.

    Args:
        request: what is about to be sent.
        body: its body.
        manifest: what its sender says of it.
        endpoint: the server it was made for.
        zone: the farthest zone that its text would reach.
    """
    name = endpoint.name
    clearance = manifest.clearance
    if clearance is None:
        head = len(request.url.raw_path) + sum(map(len, _flat(request.headers.raw)))
        if len(body) > LARGEST_UNLABELLED_BODY:
            return (
                f"a request to {name!r} without clearance carries {len(body)} bytes; "
                f"{LARGEST_UNLABELLED_BODY} are allowed"
            )
        if head > LARGEST_UNLABELLED_HEAD:
            return (
                f"a request to {name!r} without clearance carries {head} bytes in its address "
                f"and headers; {LARGEST_UNLABELLED_HEAD} are allowed"
            )
    elif zone > clearance.zone:
        return (
            f"text that may reach {clearance.zone.label!r} was about to be sent to {name!r} "
            f"in {zone.label!r}"
        )
    if origin(request.url) != origin(httpx2.URL(endpoint.url)):
        return f"a request of {name!r} was about to be sent to another host, port or protocol"
    if request.headers.get("host", "").encode() != request.url.netloc:
        return f"a request to {name!r} names another host in its headers"
    return None


def _flat(headers: list[tuple[bytes, bytes]]) -> list[bytes]:
    return [part for pair in headers for part in pair]
