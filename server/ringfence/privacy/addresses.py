"""Which zone a network address lies in, and what a host name resolves to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Protocol, TypeAlias

from .zones import Zone

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Shared address space of carriers and overlay networks such as Tailscale (RFC 6598).
_SHARED = ipaddress.ip_network("100.64.0.0/10")


class Resolver(Protocol):
    """Turns a host name into addresses."""

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """Return the addresses of ``host``.

        Raises:
            OSError: when the name cannot be resolved.
        """
        ...


class SystemResolver:
    """The operating system's own resolver; literal addresses are taken as they are."""

    async def resolve(self, host: str, port: int) -> tuple[Address, ...]:
        """Return the addresses of ``host``, IPv4 first as local servers listen there."""
        literal = parse_address(host)
        if literal is not None:
            return (literal,)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = {parse_address(str(entry[4][0])) for entry in found}
        return tuple(sorted(filter(None, addresses), key=lambda a: (a.version, int(a))))


def parse_address(text: str) -> Address | None:
    """Return ``text`` as an address, or None when it is a name.

    An IPv4 address in IPv6 clothing is taken as what it is, so that it is judged alike.
    """
    try:
        address = ipaddress.ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


def zone_of(address: Address) -> Zone:
    """Return the nearest zone that an address can lie in.

    Loopback is this device. Private, link-local, unique-local and shared addresses are a
    network of the user's. All others can be anywhere, so they are the cloud. The
    unspecified address (``0.0.0.0``) connects to this device on some systems only, so it
    counts as the cloud too.
    """
    if address.is_unspecified or address.is_multicast:
        return Zone.CLOUD
    if address.is_loopback:
        return Zone.DEVICE
    if address.is_link_local or address.is_private:
        return Zone.NETWORK
    if isinstance(address, ipaddress.IPv4Address) and address in _SHARED:
        return Zone.NETWORK
    return Zone.CLOUD
