"""A server's address, the zone its owner declared for it, and the key it wants."""

from __future__ import annotations

from dataclasses import dataclass, field

from .zones import Zone


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests of one backend go.

    Attributes:
        name: the configured name of the backend.
        url: the base URL, without a trailing slash.
        zone: the declared zone.
        api_key: the key, if one is wanted; never shown in ``repr``.
    """

    name: str
    url: str
    zone: Zone
    api_key: str | None = field(default=None, repr=False)
