"""Nothing but the gate opens a connection: read from the source, not from good intentions."""

from __future__ import annotations

import ast
from pathlib import Path

import ringfence

PACKAGE = Path(ringfence.__file__).parent

#: Modules that can open a connection, and names that do.
CONNECTING_MODULES = {
    "socket",
    "ssl",
    "http.client",
    "urllib.request",
    "httpcore2",
    "requests",
    "aiohttp",
    "ftplib",
    "smtplib",
    "socketserver",
    "xmlrpc.client",
    "websockets.client",
    "websockets.asyncio.client",
}
CONNECTING_NAMES = {
    "AsyncClient",
    "AsyncHTTPTransport",
    "HTTPTransport",
    "open_connection",
    "create_connection",
    "create_datagram_endpoint",
    "open_unix_connection",
    "sock_connect",
    "urlopen",
}

#: Who may, and why.
ALLOWED = {
    "privacy/gate.py": {"AsyncClient", "AsyncHTTPTransport", "ssl", "urllib.request"},
    # Resolves names; opens nothing.
    "privacy/addresses.py": {"socket"},
}


def ways_out(file: Path) -> set[str]:
    """Return what in ``file`` can open a connection."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Import(names=names):
                found |= {alias.name for alias in names} & CONNECTING_MODULES
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module} & CONNECTING_MODULES
                found |= {f"{module}.{alias.name}" for alias in names} & CONNECTING_MODULES
                found |= {alias.name for alias in names} & CONNECTING_NAMES
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
                found |= {name} & CONNECTING_NAMES
    return found


def test_only_the_gate_opens_connections() -> None:
    offenders = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        name = file.relative_to(PACKAGE).as_posix()
        extra = ways_out(file) - ALLOWED.get(name, set())
        if extra:
            offenders[name] = sorted(extra)

    assert offenders == {}


def test_the_search_finds_a_way_out(tmp_path: Path) -> None:
    file = tmp_path / "sneaky.py"
    file.write_text("import asyncio\nasync def f():\n    await asyncio.open_connection('x', 1)\n")

    assert ways_out(file) == {"open_connection"}
