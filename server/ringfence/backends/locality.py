"""Where a model is computed, and what can be proven of it.

The gate proves one half at each connection: that the address lies in the declared zone. The
other half is that the server computes there itself and asks nobody else. That depends on
what listens there:

- The embedded engine is a child of this program: proven.
- llama-server, shown to be one by its own routes, has no way to pass a request on.
- vLLM, shown to be one by its own routes, likewise. A gateway in the team's network that
  hides vLLM's name is believed there, where it was set up on purpose, and not on loopback,
  where proxies to the cloud listen.
- Ollama passes some models on to its cloud. It is asked for each model; a model counts as
  local only when Ollama describes it and names no remote host.
- LM Studio passes requests on to linked devices, and its HTTP interface does not tell. Its
  SDK's interface does: a model counts as local when LM Link is off, or when no linked
  device has it. Versions before 0.4 have no LM Link.
- Whatever else speaks OpenAI's protocol can be a proxy to anywhere. It counts as the cloud.

A tunnel that users lay themselves (``ssh -L``) looks like a local server; they declare it as
``network`` or ``cloud``. A user may always declare farther than what is proven, never nearer.
"""

from __future__ import annotations

from dataclasses import dataclass

import httpx2

from ringfence.privacy import Endpoint, Zone
from ringfence.privacy.addresses import parse_address, zone_of


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model is computed.

    Attributes:
        zone: the zone.
        why: why it is believed, in a few words.
    """

    zone: Zone
    why: str


def at_endpoint(endpoint: Endpoint, why: str) -> Place:
    """Return the place of a model whose server computes where it runs.

    A literal address that plainly lies outside the declared zone is said here already, so
    that nothing is routed to what the gate would refuse.

    Args:
        endpoint: the server.
        why: why it is believed that the server computes there.
    """
    address = parse_address(httpx2.URL(endpoint.url).host)
    if address is not None and zone_of(address) > endpoint.zone:
        return Place(zone_of(address), f"its address is not in {endpoint.zone.label!r}")
    return Place(endpoint.zone, why)


def elsewhere(why: str) -> Place:
    """Return the place of a model that is computed elsewhere, or nobody can say where."""
    return Place(Zone.CLOUD, why)


def ollama_place(endpoint: Endpoint, id_: str, *, described: bool, remote: bool) -> Place:
    """Return where Ollama computes a model.

    Args:
        endpoint: the Ollama server.
        id_: the model's name; one whose tag is ``cloud`` or ends so is remote.
        described: whether Ollama described the model.
        remote: whether any description names a remote host or model.
    """
    tag = id_.rpartition(":")[2].strip().lower()
    if remote or tag == "cloud" or tag.endswith("-cloud"):
        return elsewhere("Ollama passes this model's requests on to a remote service")
    if not described:
        return elsewhere("Ollama did not say where it computes this model")
    return at_endpoint(endpoint, "Ollama says that it computes this model itself")


def vllm_place(endpoint: Endpoint, owner: str) -> Place:
    """Return where a server that was declared to be vLLM computes a model.

    Args:
        endpoint: the server.
        owner: who it says owns the model; vLLM names itself.
    """
    if owner == "vllm":
        return at_endpoint(endpoint, "vLLM computes where it runs, and its address is verified")
    if endpoint.zone is Zone.NETWORK and owner in ("", "organization-owner"):
        return at_endpoint(endpoint, "a gateway to vLLM in the declared network")
    return elsewhere("this server does not show that it is vLLM, so it may be a proxy")
