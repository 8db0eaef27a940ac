"""Servers for the tests of the editor side."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.lsp.raw_client import LocalServer, local_server


@pytest.fixture
async def client() -> AsyncIterator[LocalServer]:
    """A connected client that has not said anything yet."""
    async with local_server() as connected:
        yield connected


@pytest.fixture
async def ready(client: LocalServer) -> LocalServer:
    """A client that is initialized and has its application."""
    await client.initialize()
    await client.command("ringfence.status")
    return client
