"""``ringfence serve``: addresses, and what keeps it from serving."""

import json
import socket

import pytest

from ringfence.cli.output import Failure
from ringfence.cli.serve import parse_address
from tests.cli.conftest import Home


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:2087", ("127.0.0.1", 2087)),
        (":2087", ("127.0.0.1", 2087)),
        ("2087", ("127.0.0.1", 2087)),
        ("[::1]:0", ("::1", 0)),
        ("host.example:80", ("host.example", 80)),
    ],
)
def test_addresses_are_read(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "host:x", "1:65536", "1:-1", "1:٣"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(Failure, match="is no address"):
        parse_address(text)


@pytest.mark.parametrize("option", ["--tcp", "--ws"])
def test_a_port_in_use_is_named_with_the_remedy(home: Home, option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        done = home.process("serve", option, address, "--json")

    assert done.code == 1
    assert done.json["error"]["code"] == "address-unavailable"
    assert address in done.json["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "transport"),
    [(["--ws"], "websocket"), (["--ws=127.0.0.1:0"], "websocket"), (["--tcp", ":0"], "tcp")],
)
def test_the_chosen_port_is_told_as_json(home: Home, arguments: list[str], transport: str) -> None:
    process = home.start("serve", *arguments, "--json")
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())["listening"]

        assert told["transport"] == transport
        socket.create_connection((told["host"], told["port"]), timeout=10).close()
    finally:
        process.terminate()
        process.communicate(timeout=20)
