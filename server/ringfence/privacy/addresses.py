"""Which zone a network address lies in, and what a host name resolves to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Protocol, TypeAlias

from .zones import Zone

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

#: The addresses that count as the user's network, named one by one: what the standard
#: library calls private includes ranges that tunnel to anywhere, such as Teredo's.
_NETWORK = tuple(
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",  # link-local
        "100.64.0.0/10",  # shared by carriers and overlay networks such as Tailscale
        "fc00::/7",  # unique local
        "fe80::/10",  # link-local
    )
)


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
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except UnicodeError as error:
            raise OSError("the name cannot be encoded") from error
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
    return _plain(address)


def zone_of(address: Address) -> Zone:
    """Return the nearest zone that an address can lie in.

    Loopback is this device. Private, link-local, unique-local and shared addresses are a
    network of the user's. All others can be anywhere, so they are the cloud: public ones,
    reserved ones, those that tunnel or translate to others (Teredo, 6to4, NAT64), and the
    unspecified address (``0.0.0.0``), which connects to this device on some systems only.
    """
    address = _plain(address)
    if address.is_loopback:
        return Zone.DEVICE
    if any(address in network for network in _NETWORK):
        return Zone.NETWORK
    return Zone.CLOUD


def _plain(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address
