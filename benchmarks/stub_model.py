"""A llama-server that needs no time: it answers every prompt at once with the same text.

Run: ``python benchmarks/stub_model.py``; it prints its URL and serves until stdin ends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

#: What every completion is. It ends in a newline, so that one line is whole at once.
TEXT = "value = compute(first, second)\n"

_PROPS = {"default_generation_settings": {"n_ctx": 8192}, "model_path": "qwen2.5-coder-stub.gguf"}
_MODELS = {"data": [{"id": "qwen2.5-coder-stub", "meta": {"n_params": 1, "size": 1}}]}


def _stream() -> bytes:
    events: list[dict[str, Any]] = [
        {"choices": [{"text": TEXT, "index": 0, "finish_reason": None}]},
        {"choices": [{"text": "", "index": 0, "finish_reason": "stop"}]},
    ]
    lines = [f"data: {json.dumps(event)}\n\n" for event in events]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


_BODIES = {
    "/health": (b"application/json", json.dumps({"status": "ok"}).encode()),
    "/props": (b"application/json", json.dumps(_PROPS).encode()),
    "/v1/models": (b"application/json", json.dumps(_MODELS).encode()),
    "/v1/completions": (b"text/event-stream", _stream()),
}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split(b" ", 2)[1].decode()
            lines = head.lower().split(b"\r\n")
            length = next((line for line in lines if line.startswith(b"content-length:")), b":0")
            await reader.readexactly(int(length.partition(b":")[2]))
            kind, body = _BODIES.get(path, (b"application/json", b"{}"))
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
                % (kind, len(body), body)
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    """Serve until stdin ends."""
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
