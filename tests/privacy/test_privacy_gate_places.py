"""The gate connects to nothing but the place that a backend was declared to be."""

from __future__ import annotations

import httpx2
import pytest

from ringfence.privacy import (
    MANIFEST,
    Clearance,
    Endpoint,
    Gate,
    GateRefusal,
    Manifest,
    Zone,
    resolution,
)
from tests.privacy.listeners import ScriptedResolver, listening

DEVICE = Clearance(Zone.DEVICE, folders=("/work",), files=("a.py",))
CLOUD = Clearance(Zone.CLOUD, folders=("/work",), files=("a.py",))


def manifest(clearance: Clearance | None, served_from: Zone | None = None) -> Manifest:
    return Manifest(clearance, "inline completion", "there", "coder", served_from)


async def post(
    gate: Gate, endpoint: Endpoint, label: Manifest | None, body: bytes = b"secret code"
) -> httpx2.Response:
    async with gate.client(endpoint) as client:
        extensions = {} if label is None else {MANIFEST: label}
        return await client.post("/v1/completions", content=body, extensions=extensions)


@pytest.mark.parametrize(
    ("zone", "address"),
    [
        (Zone.DEVICE, "192.168.1.5"),
        (Zone.DEVICE, "93.184.216.34"),
        (Zone.DEVICE, "0.0.0.0"),
        (Zone.DEVICE, "::ffff:93.184.216.34"),
        (Zone.NETWORK, "93.184.216.34"),
        (Zone.NETWORK, "2606:2800:220:1::1"),
    ],
)
async def test_a_host_outside_the_declared_zone_is_refused(zone: Zone, address: str) -> None:
    resolver = ScriptedResolver(model_test=[[address]])
    endpoint = Endpoint("there", "http://model.test:8080", zone)

    with pytest.raises(GateRefusal, match="resolves to"):
        await post(Gate(resolver=resolver), endpoint, manifest(CLOUD))


async def test_one_address_outside_the_zone_is_enough_to_refuse() -> None:
    async with listening() as listener:
        port = listener.url.rpartition(":")[2]
        resolver = ScriptedResolver(model_test=[["127.0.0.1", "93.184.216.34"]])
        endpoint = Endpoint("there", f"http://model.test:{port}", Zone.DEVICE)

        with pytest.raises(GateRefusal):
            await post(Gate(resolver=resolver), endpoint, manifest(DEVICE))

    assert listener.connections == 0


async def test_a_name_that_turns_to_another_place_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(resolution, "RESOLUTION_LIFETIME", 0.0)
    async with listening() as listener:
        port = listener.url.rpartition(":")[2]
        resolver = ScriptedResolver(model_test=[["127.0.0.1"], ["93.184.216.34"]])
        endpoint = Endpoint("there", f"http://model.test:{port}", Zone.DEVICE)
        async with Gate(resolver=resolver).client(endpoint) as client:
            await client.get("/", extensions={MANIFEST: manifest(None)})

            with pytest.raises(GateRefusal):
                await client.get("/", extensions={MANIFEST: manifest(None)})

    assert listener.connections == 1


async def test_the_address_that_was_checked_is_the_one_that_is_used() -> None:
    async with listening() as listener:
        port = listener.url.rpartition(":")[2]
        # A name that nothing but the scripted resolver knows: a second look would fail.
        resolver = ScriptedResolver(model_test=[["127.0.0.1"]])
        endpoint = Endpoint("there", f"http://model.test:{port}", Zone.DEVICE)

        await post(Gate(resolver=resolver), endpoint, manifest(DEVICE))

    assert resolver.asked == ["model.test"]
    assert f"host: model.test:{port}".encode() in listener.received.lower()


async def test_a_dead_address_is_passed_over_for_the_next() -> None:
    async with listening() as listener:
        port = listener.url.rpartition(":")[2]
        resolver = ScriptedResolver(model_test=[["127.0.0.9", "127.0.0.1"]])
        endpoint = Endpoint("there", f"http://model.test:{port}", Zone.DEVICE)

        response = await post(Gate(resolver=resolver), endpoint, manifest(DEVICE))

    assert response.status_code == 200


async def test_a_request_to_another_place_than_the_backends_is_refused() -> None:
    async with listening() as listener, listening("127.0.0.2") as host, listening() as port:
        endpoint = Endpoint("there", listener.url, Zone.DEVICE)
        async with Gate().client(endpoint) as client:
            for url in (host.url, port.url, listener.url.replace("http:", "https:")):
                with pytest.raises(GateRefusal, match="another host, port or protocol"):
                    await client.get(f"{url}/x", extensions={MANIFEST: manifest(None)})

    assert listener.connections + host.connections + port.connections == 0


async def test_headers_cannot_name_another_host() -> None:
    async with listening() as listener:
        endpoint = Endpoint("there", listener.url, Zone.DEVICE)
        async with Gate().client(endpoint) as client:
            with pytest.raises(GateRefusal, match="names another host"):
                await client.get(
                    "/", headers={"Host": "evil.test"}, extensions={MANIFEST: manifest(None)}
                )

    assert listener.connections == 0


@pytest.mark.parametrize("zone", [Zone.DEVICE, Zone.NETWORK])
async def test_proxies_of_the_environment_see_nothing_of_device_and_network(
    zone: Zone, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with listening() as listener, listening("127.0.0.2") as proxy:
        for variable in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(variable, proxy.url)
        endpoint = Endpoint("there", listener.url, zone)

        await post(Gate(), endpoint, manifest(CLOUD))

    assert proxy.connections == 0
    assert listener.connections == 1


async def test_proxies_of_the_environment_carry_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    async with listening() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        endpoint = Endpoint("there", "http://cloud.test", Zone.CLOUD)

        await post(Gate(), endpoint, manifest(CLOUD))

    assert proxy.received.startswith(b"POST http://cloud.test/v1/completions")


async def test_a_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "gopher://proxy.test:1")
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    with pytest.raises(GateRefusal, match="proxy"):
        Gate().client(Endpoint("there", "http://cloud.test", Zone.CLOUD))


@pytest.mark.parametrize("follow", [False, True])
async def test_a_redirect_is_not_followed(follow: bool) -> None:
    async with listening("127.0.0.2") as elsewhere, listening() as listener:
        location = f"HTTP/1.1 307 X\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
        listener.answer = location.encode()
        endpoint = Endpoint("there", listener.url, Zone.DEVICE)
        async with Gate().client(endpoint) as client:
            request = client.build_request(
                "POST", "/", content=b"secret code", extensions={MANIFEST: manifest(DEVICE)}
            )

            try:
                await client.send(request, follow_redirects=follow)
            except GateRefusal:
                assert follow

    assert elsewhere.connections == 0
