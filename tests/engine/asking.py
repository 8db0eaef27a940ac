"""Using an engine as its backends do."""

import asyncio

import httpx2

from ringfence.engine.client import Engine, RunningEngine
from ringfence.engine.status import EngineStatus
from ringfence.privacy import MANIFEST, Endpoint, Gate, Manifest, Zone


async def ask(
    running: RunningEngine, path: str, body: object = None, **headers: str
) -> httpx2.Response:
    """Send a request to the engine's server."""
    endpoint = Endpoint("engine", running.url, Zone.DEVICE)
    extensions = {MANIFEST: Manifest(None, purpose="test", backend="engine")}
    async with Gate(Zone.DEVICE).client(endpoint) as client:
        if body is None:
            return await client.get(path, headers=headers, extensions=extensions)
        return await client.post(path, json=body, headers=headers, extensions=extensions)


async def complete(running: RunningEngine) -> httpx2.Response:
    body = {
        "prompt": "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>",
        "max_tokens": 4,
        "ignore_eos": True,
    }
    return await ask(running, "/v1/completions", body, Authorization=f"Bearer {running.api_key}")


async def only_status(engine: Engine) -> EngineStatus:
    [status] = await engine.status()
    return status


async def another(engine: Engine, before: RunningEngine) -> RunningEngine:
    """Return the engine once it is not as it was ``before``; the supervisor needs a moment."""
    while True:
        running = await engine.ensure_started()
        if running.url != before.url:
            return running
        await asyncio.sleep(0.02)
