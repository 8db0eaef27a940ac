"""The gate lets nothing out that may not go."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from ringfence.privacy import (
    MANIFEST,
    AuditEntry,
    Clearance,
    Endpoint,
    Gate,
    GateRefusal,
    Manifest,
    NoAudit,
    Zone,
)
from ringfence.privacy import gate as gate_module
from ringfence.privacy.audit import AuditLog
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


async def test_what_is_cleared_arrives() -> None:
    async with listening() as listener:
        endpoint = Endpoint("there", listener.url, Zone.DEVICE)

        response = await post(Gate(), endpoint, manifest(DEVICE))

    assert response.status_code == 200
    assert b"secret code" in listener.received


@pytest.mark.parametrize(
    ("zone", "label"),
    [
        (Zone.DEVICE, None),
        (Zone.CLOUD, manifest(DEVICE)),
        (Zone.NETWORK, manifest(DEVICE)),
        (Zone.DEVICE, manifest(DEVICE, served_from=Zone.CLOUD)),
        (Zone.CLOUD, manifest(None)),
    ],
    ids=["no manifest", "device to cloud", "device to network", "a remote model", "no clearance"],
)
async def test_what_is_not_cleared_is_refused_before_a_connection_is_made(
    zone: Zone, label: Manifest | None
) -> None:
    async with listening() as listener:
        endpoint = Endpoint("there", listener.url, zone)

        with pytest.raises(GateRefusal):
            await post(Gate(), endpoint, label, b"secret code" * 200)

    assert listener.connections == 0


async def test_a_request_without_text_may_ask_a_small_question() -> None:
    async with listening() as listener:
        await post(
            Gate(), Endpoint("there", listener.url, Zone.CLOUD), manifest(None), b'{"model": "m"}'
        )

    assert listener.connections == 1


async def test_a_gate_for_the_device_makes_no_client_for_anything_farther() -> None:
    gate = Gate().within(Zone.DEVICE)

    with pytest.raises(GateRefusal, match="only 'device' is allowed"):
        gate.client(Endpoint("there", "https://cloud.example", Zone.CLOUD, "key"))


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
    monkeypatch.setattr(gate_module, "RESOLUTION_LIFETIME", 0.0)
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


async def test_a_request_to_another_host_than_the_backends_is_refused() -> None:
    async with listening() as listener, listening("127.0.0.2") as other:
        endpoint = Endpoint("there", listener.url, Zone.DEVICE)
        async with Gate().client(endpoint) as client:
            with pytest.raises(GateRefusal, match="another host"):
                await client.get(f"{other.url}/x", extensions={MANIFEST: manifest(None)})

    assert other.connections == 0


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


async def test_a_redirect_is_not_followed() -> None:
    async with listening("127.0.0.2") as elsewhere, listening() as listener:
        location = f"HTTP/1.1 307 X\r\nLocation: {elsewhere.url}/\r\nContent-Length: 0\r\n\r\n"
        listener.answer = location.encode()
        endpoint = Endpoint("there", listener.url, Zone.DEVICE)

        response = await post(Gate(), endpoint, manifest(DEVICE))

    assert response.status_code == 307
    assert elsewhere.connections == 0


async def test_what_leaves_the_device_is_recorded_before_it_goes() -> None:
    audit = NoAudit()
    async with listening() as listener:
        await post(Gate(audit=audit), Endpoint("there", listener.url, Zone.CLOUD), manifest(CLOUD))

    (entry,) = audit.entries
    assert (entry.backend, entry.model, entry.zone) == ("there", "coder", "cloud")
    assert (entry.workspaces, entry.files) == (("/work",), ("a.py",))
    assert entry.sent_bytes == len(b"secret code")
    assert entry.refused == ""


async def test_what_stays_on_the_device_is_not_recorded() -> None:
    audit = NoAudit()
    async with listening() as listener:
        await post(
            Gate(audit=audit), Endpoint("there", listener.url, Zone.DEVICE), manifest(DEVICE)
        )

    assert audit.entries == []


async def test_a_refusal_is_recorded_with_its_reason() -> None:
    audit = NoAudit()
    async with listening() as listener:
        with pytest.raises(GateRefusal):
            await post(
                Gate(audit=audit), Endpoint("there", listener.url, Zone.CLOUD), manifest(DEVICE)
            )

    assert "'device'" in audit.entries[0].refused


async def test_nothing_leaves_the_device_when_it_cannot_be_recorded(tmp_path: Path) -> None:
    class FullDisk:
        def record(self, entry: AuditEntry) -> None:
            raise OSError(28, "No space left on device")

    async with listening() as listener:
        gate = Gate(audit=FullDisk())

        with pytest.raises(GateRefusal, match="No space left"):
            await post(gate, Endpoint("there", listener.url, Zone.CLOUD), manifest(CLOUD))
        await post(gate, Endpoint("here", listener.url, Zone.DEVICE), manifest(DEVICE))

    assert listener.connections == 1


async def test_neither_code_nor_key_is_in_what_is_recorded(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")
    async with listening() as listener:
        endpoint = Endpoint("there", listener.url, Zone.CLOUD, "sk-very-secret")

        await post(Gate(audit=log), endpoint, manifest(CLOUD))

    written = log.path.read_bytes()
    assert b"secret code" not in written
    assert b"sk-very-secret" not in written
    assert "sk-very-secret" not in repr(endpoint)
