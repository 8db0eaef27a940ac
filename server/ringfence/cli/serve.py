"""``ringfence serve``: the language server."""

from __future__ import annotations

import json
import logging
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from .output import WRONG_USE, Failure, JsonOption

#: Where clients may connect when no address is given: here alone, on a free port.
ANYWHERE = "127.0.0.1:0"

EXAMPLES = """\b
Examples:
  ringfence serve                      for an editor that starts the server itself
  ringfence serve --tcp 127.0.0.1:2087
  ringfence serve --ws                 on a free port, which is logged"""


class LogLevel(StrEnum):
    """What is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class _Serve(TyperCommand):
    """Takes ``--ws`` with and without an address."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the address in where it is left out."""
        complete = []
        for index, argument in enumerate(args):
            complete.append(argument)
            if argument == "--ws" and (index + 1 == len(args) or args[index + 1].startswith("-")):
                complete.append(ANYWHERE)
        return super().parse_args(ctx, complete)


app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(cls=_Serve, epilog=EXAMPLES)
def serve(
    tcp: Annotated[
        str | None, typer.Option("--tcp", metavar="HOST:PORT", help="Serve clients by TCP.")
    ] = None,
    websocket: Annotated[
        str | None,
        typer.Option("--ws", metavar="[HOST:PORT]", help="Serve clients by WebSocket."),
    ] = None,
    stdio: Annotated[
        bool, typer.Option("--stdio", help="Serve over standard input and output (the default).")
    ] = False,
    log_level: Annotated[LogLevel, typer.Option(help="The least that is logged.")] = LogLevel.INFO,
    as_json: JsonOption = False,
) -> int:
    """Run the language server.

    It speaks LSP on standard input and output, or with --tcp or --ws to any number of
    clients. Logs go to standard error and to the editor. With --json, the address of --tcp
    or --ws is printed as one line of JSON once clients can connect.
    """
    if sum((tcp is not None, websocket is not None, stdio)) > 1:
        message = "--stdio, --tcp and --ws exclude each other; give one of them"
        raise Failure("usage", message, WRONG_USE)
    from ringfence.lsp.run import AddressUnavailable

    from . import serving

    level = logging.getLevelNamesMapping()[log_level.name]
    address = tcp if tcp is not None else websocket
    if address is None:
        return serving.serve_over_stdio(level)
    host, port = parse_address(address)

    def listening(chosen: int) -> None:
        if as_json:
            transport = "tcp" if tcp is not None else "websocket"
            line = {"listening": {"transport": transport, "host": host, "port": chosen}}
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()

    run = serving.serve_over_tcp if tcp is not None else serving.serve_over_websocket
    try:
        return run(host, port, level, listening)
    except AddressUnavailable as error:
        raise Failure("address-unavailable", str(error)) from None


def parse_address(text: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``; the host may be left out.

    Raises:
        Failure: when it is no such thing.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        message = f"{text!r} is no address; write HOST:PORT, such as 127.0.0.1:2087"
        raise Failure("usage", message, WRONG_USE)
    return host, int(port)
