"""Base URLs as users write them, with and without the version's path."""

from __future__ import annotations

import dataclasses

from ringfence.privacy import Endpoint


def normalized(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint without ``/v1`` and slashes at its end, which paths here begin with."""
    url = endpoint.url.rstrip("/")
    return dataclasses.replace(endpoint, url=url.removesuffix("/v1").rstrip("/"))
