"""Base URLs as users write them, with and without the version's path."""

from __future__ import annotations

import dataclasses
import re

from ringfence.privacy import Endpoint

_VERSION = re.compile(r"v\d+[a-z0-9]*")

#: Paths that users add to the address of a server whose own routes are meant.
_ADDED = ("/v1", "/api", "/api/v1", "/api/v0")


def server_root(url: str) -> str:
    """Return the address of a server without the paths of its interfaces.

    ``http://localhost:1234/v1`` and ``localhost:1234/`` are both
    ``http://localhost:1234``.
    """
    url = _with_scheme(url)
    for path in sorted(_ADDED, key=len, reverse=True):
        if url.endswith(path):
            return url.removesuffix(path).rstrip("/")
    return url


def openai_base(url: str) -> str:
    """Return the address that the paths of OpenAI's protocol are added to.

    ``/v1`` is added unless the path has a version already, wherever it stands in it.
    """
    url = _with_scheme(url)
    path = url.partition("://")[2].partition("/")[2]
    versioned = any(_VERSION.fullmatch(part) for part in path.split("/"))
    return url if versioned else f"{url}/v1"


def at_root(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint at its server's root."""
    return dataclasses.replace(endpoint, url=server_root(endpoint.url))


def at_openai_base(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint at the base of OpenAI's protocol."""
    return dataclasses.replace(endpoint, url=openai_base(endpoint.url))


def _with_scheme(url: str) -> str:
    url = url.strip().rstrip("/")
    return url if "://" in url else f"http://{url}"
