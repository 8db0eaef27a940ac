"""Whatever the folders, policies and targets: no byte of a private text gets too far."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringfence.privacy import (
    MANIFEST,
    Clearance,
    Endpoint,
    Fragment,
    Gate,
    GateRefusal,
    Manifest,
    Source,
    SourceKind,
    Zone,
)
from tests.privacy.listeners import listening

_zones = st.sampled_from(list(Zone))


def forms(text: str) -> list[bytes]:
    """Return the forms in which a text could hide in a request."""
    raw = text.encode()
    escaped = "".join(f"\\u{ord(character):04x}" for character in text)
    return [raw, base64.b64encode(raw), quote(text).encode(), escaped.encode()]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    labels=st.lists(st.tuples(_zones, st.sampled_from(list(SourceKind))), min_size=1, max_size=6),
    attempts=st.lists(st.tuples(_zones, st.none() | _zones), min_size=1, max_size=4),
)
async def test_no_text_reaches_a_listener_beyond_its_label(
    labels: list[tuple[Zone, SourceKind]], attempts: list[tuple[Zone, Zone | None]]
) -> None:
    fragments = [
        Fragment(f"PRIVATE-{number}-{zone.name}-/+é", Source(kind, allow=zone))
        for number, (zone, kind) in enumerate(labels)
    ]
    body = json.dumps({"prompt": "".join(fragment.text for fragment in fragments)})
    async with (
        listening("127.0.0.1") as device,
        listening("127.0.0.2") as network,
        listening("127.0.0.3") as cloud,
    ):
        at = {Zone.DEVICE: device, Zone.NETWORK: network, Zone.CLOUD: cloud}
        for zone, served_from in attempts:
            label = Manifest(Clearance.of(fragments), "edit", "there", "m", served_from)
            async with Gate().client(Endpoint("there", at[zone].url, zone)) as client:
                try:
                    await client.post("/v1", content=body, extensions={MANIFEST: label})
                except GateRefusal:
                    continue
                assert max(zone, served_from or zone) <= min(allow for allow, _ in labels)

    for zone, listener in at.items():
        for fragment in fragments:
            if fragment.source.allow < zone:
                assert not any(form in listener.received for form in forms(fragment.text))
