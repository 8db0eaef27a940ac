"""The gate lets nothing out that may not go."""

from __future__ import annotations

import json
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
from ringfence.privacy.audit import AuditLog
from ringfence.privacy.known_secrets import KNOWN_SECRETS
from tests.privacy.listeners import listening

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
    ("path", "headers"), [("/?q=" + "x" * 20_000, {}), ("/", {"X-Text": "x" * 20_000})]
)
async def test_text_cannot_hide_in_the_address_or_headers_of_a_request_without_clearance(
    path: str, headers: dict[str, str]
) -> None:
    async with listening() as listener:
        endpoint = Endpoint("there", listener.url, Zone.CLOUD)
        async with Gate().client(endpoint) as client:
            with pytest.raises(GateRefusal, match="without clearance"):
                await client.get(path, headers=headers, extensions={MANIFEST: manifest(None)})

    assert listener.connections == 0


async def test_a_gate_for_the_device_lets_no_server_pass_a_request_on() -> None:
    async with listening() as listener:
        endpoint = Endpoint("there", listener.url, Zone.DEVICE)

        with pytest.raises(GateRefusal, match="beyond what is allowed"):
            await post(Gate(Zone.DEVICE), endpoint, manifest(CLOUD, served_from=Zone.CLOUD))

    assert listener.connections == 0


async def test_a_secret_that_was_masked_once_leaves_unmasked_never() -> None:
    KNOWN_SECRETS.remember('hunter2-with-"quotes"-\u00e9')
    bodies = ('a hunter2-with-"quotes"-\u00e9 b', json.dumps({"p": 'hunter2-with-"quotes"-\u00e9'}))
    try:
        async with listening() as listener:
            endpoint = Endpoint("there", listener.url, Zone.CLOUD)
            for body in bodies:
                with pytest.raises(GateRefusal, match="a known secret"):
                    await post(Gate(), endpoint, manifest(CLOUD), body.encode())
    finally:
        KNOWN_SECRETS.clear()

    assert listener.connections == 0


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


async def test_a_request_without_a_manifest_is_recorded_too() -> None:
    audit = NoAudit()
    async with listening() as listener:
        with pytest.raises(GateRefusal):
            await post(Gate(audit=audit), Endpoint("there", listener.url, Zone.DEVICE), None)

    assert audit.entries[0].backend == "there"
    assert "no manifest" in audit.entries[0].refused


async def test_nothing_leaves_the_device_when_it_cannot_be_recorded(tmp_path: Path) -> None:
    class FullDisk:
        def record(self, entry: AuditEntry) -> None:
            raise OSError(28, "No space left on device")

    async with listening() as listener:
        gate = Gate(audit=FullDisk())

        with pytest.raises(GateRefusal, match="No space left"):
            await post(gate, Endpoint("there", listener.url, Zone.CLOUD), manifest(CLOUD))
        with pytest.raises(GateRefusal, match="may reach 'device'"):
            await post(gate, Endpoint("there", listener.url, Zone.CLOUD), manifest(DEVICE))
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
