"""Every address lies in the nearest zone that it can be trusted to lie in, and no nearer."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.privacy import Zone
from ringfence.privacy.addresses import SystemResolver, parse_address, zone_of


@pytest.mark.parametrize("text", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_is_this_device(text: str) -> None:
    assert zone_of(ipaddress.ip_address(text)) is Zone.DEVICE


@pytest.mark.parametrize(
    "text",
    [
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.254",
        "192.168.1.1",
        "169.254.1.1",
        "100.64.0.1",
        "fd00::1",
        "fe80::1",
        "::ffff:192.168.1.1",
    ],
)
def test_private_ranges_are_the_network(text: str) -> None:
    assert zone_of(ipaddress.ip_address(text)) is Zone.NETWORK


@pytest.mark.parametrize(
    "text",
    [
        "8.8.8.8",
        "172.32.0.1",
        "100.128.0.1",
        "2606:2800:220:1::1",
        "::ffff:8.8.8.8",
        "0.0.0.0",
        "::",
        "255.255.255.255",
        "224.0.0.1",
        "ff02::1",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",
        "2002:0808:0808::1",
        "64:ff9b::808:808",
        "64:ff9b:1::808:808",
        "::8.8.8.8",
        "::127.0.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "203.0.113.1",
        "240.0.0.1",
    ],
)
def test_what_can_be_anywhere_is_the_cloud(text: str) -> None:
    assert zone_of(ipaddress.ip_address(text)) is Zone.CLOUD


@given(st.ip_addresses(v=4))
def test_an_address_in_other_clothing_is_judged_alike(address: ipaddress.IPv4Address) -> None:
    assert zone_of(ipaddress.IPv6Address(f"::ffff:{address}")) is zone_of(address)


@given(st.ip_addresses())
def test_no_public_address_is_nearer_than_the_cloud(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if address.is_global:
        assert zone_of(address) is Zone.CLOUD


@pytest.mark.parametrize("text", ["localhost", "", "1.2.3", "0x7f.1", "2130706433", "127.1"])
def test_a_name_is_no_address(text: str) -> None:
    assert parse_address(text) is None


async def test_a_name_that_cannot_be_encoded_is_not_resolved() -> None:
    with pytest.raises(OSError, match="encoded"):
        await SystemResolver().resolve("a" * 70 + ".example", 80)


async def test_the_name_of_this_device_resolves_to_it() -> None:
    found = await SystemResolver().resolve("localhost", 80)

    assert {zone_of(address) for address in found} == {Zone.DEVICE}
