"""Whatever bytes arrive: no hang, no crash, no path and no traceback in any answer."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types

from tests.lsp.raw_client import URI, LocalServer, frame, local_server

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
#: What ends a conversation is left out, so that the server can be asked how it is.
_METHODS = st.sampled_from(
    [m for m in types.METHOD_TO_TYPES if m not in (types.EXIT, types.SHUTDOWN, types.INITIALIZE)]
)
_TEXT_DOCUMENT = st.fixed_dictionaries(
    {"uri": st.sampled_from([URI, "", "%", "untitled:Untitled-1", "file://[", "\x00"])},
    optional={"version": _JSON, "languageId": st.text(max_size=5), "text": st.text(max_size=20)},
)
_POSITION = st.fixed_dictionaries(
    {"line": st.integers(-2, 2**70), "character": st.integers(-2, 2**70) | _JSON}
)
_LIKELY_PARAMS = st.fixed_dictionaries(
    {"textDocument": _TEXT_DOCUMENT, "position": _POSITION},
    optional={
        "context": st.fixed_dictionaries({"triggerKind": st.integers(0, 3)}) | _JSON,
        "contentChanges": st.lists(
            st.fixed_dictionaries(
                {"text": st.text(max_size=8)},
                optional={"range": st.fixed_dictionaries({"start": _POSITION, "end": _POSITION})},
            )
        )
        | _JSON,
        "command": st.sampled_from(["ringfence.status", "ringfence.accepted", "x"]),
        "arguments": _JSON,
        "settings": _JSON,
        "item": _JSON,
    },
)
_ENVELOPE = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0"), "method": _METHODS},
    optional={"id": st.integers() | st.text(max_size=4), "params": _LIKELY_PARAMS | _JSON},
)
_BODY = (
    _ENVELOPE.map(lambda content: json.dumps(content).encode())
    | _JSON.map(lambda content: json.dumps(content).encode())
    | st.binary(max_size=40)
    | st.integers(1, 60_000).map(lambda depth: b"[" * depth)
)
_PIECE = (
    _BODY.map(frame)
    | st.binary(max_size=60).map(lambda data: data + b"\r\n\r\n")
    | _BODY.map(lambda body: b"Content-Length: %d\r\n\r\n%b" % (max(len(body) - 3, 0), body))
)

_ONE_OFF = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def _check(client: LocalServer) -> None:
    for leak in (b"Traceback", b'File \\"', b".py", b"site-packages", b"ringfence/lsp"):
        assert leak not in client.received


async def _drain(client: LocalServer) -> None:
    """Read what the fuzzed messages were answered with; it is all well-formed JSON-RPC."""
    unread = client._unread
    for message in unread:
        if "error" in message:
            assert isinstance(message["error"]["code"], int)
            assert message["error"]["message"]
        else:
            assert "method" in message or "result" in message
    unread.clear()


@_ONE_OFF
@given(pieces=st.lists(_BODY, max_size=8))
def test_a_server_that_got_well_framed_nonsense_still_answers(pieces: list[bytes]) -> None:
    async def scenario() -> None:
        async with local_server() as client:
            await client.initialize()
            client.send_bytes(b"".join(map(frame, pieces)))
            client.send({"id": "alive?", "method": "workspace/executeCommand", "params": _STATUS})
            status = await client.result("alive?")
            assert "server" in status
            client.send({"id": "bye", "method": "shutdown"}, {"method": "exit"})
            await client.result("bye")
            await asyncio.wait_for(client.serving, 20)
            await _drain(client)
            _check(client)

    asyncio.run(scenario())


@_ONE_OFF
@given(pieces=st.lists(_PIECE, max_size=8), initialized=st.booleans())
def test_any_bytes_end_in_a_clean_close(pieces: list[bytes], initialized: bool) -> None:
    async def scenario() -> None:
        async with local_server() as client:
            if initialized:
                await client.initialize()
            client.send_bytes(b"".join(pieces))
            client.close_output()
            assert await asyncio.wait_for(client.serving, 20) in (0, 1)
            await asyncio.wait_for(client._receiving, 20)
            await _drain(client)
            _check(client)

    asyncio.run(scenario())


_STATUS: dict[str, Any] = {"command": "ringfence.status"}
