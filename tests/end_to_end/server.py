"""The real server, ``ringfence serve``, with a configuration of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.lsp.raw_client import ServerProcess


@asynccontextmanager
async def real_server(
    folder: Path, config: str, models: Path | None = None
) -> AsyncIterator[ServerProcess]:
    """Run the server; whatever happens, it is gone afterwards.

    Args:
        folder: where its state is kept.
        config: its configuration, as YAML.
        models: the embedded engine's models.
    """
    (folder / "config.yaml").write_text(config)
    environment = {
        **os.environ,
        "RINGFENCE_CONFIG": str(folder / "config.yaml"),
        "RINGFENCE_STATE": str(folder / "state"),
        "RINGFENCE_MODELS": str(models or folder / "models"),
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ringfence", "serve"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment,
    )
    client = ServerProcess(process)
    try:
        yield client
    finally:
        await client.kill()
