"""A fake of LM Studio: 200 for any path, models on linked devices, and the SDK's WebSocket.

HTTP says nothing of LM Link; the WebSocket of LM Studio's own SDK does. ``version`` 0 is an
LM Studio from before 0.4, without ``/api/v1`` and without LM Link.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from .http import Exchange, Incoming
from .model import FakeModel
from .openai_wire import chat_wire, completion_wire, usage_of
from .server import FakeServer, count_tokens, error_body

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class FakeLmStudio(FakeServer):
    """LM Studio's server.

    Attributes:
        link: what it says of LM Link over its WebSocket; None for a server without one.
        loads: the bodies of the requests to load a model.
    """

    generating = ("/v1/completions", "/v1/chat/completions")

    def __init__(
        self, *arguments: Any, version: int = 1, link: str | None = "offline", **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self.version = version
        self.link = link
        self.loads: list[dict[str, Any]] = []

    async def route(self, exchange: Exchange) -> None:
        request = exchange.request
        path = request.path
        authorized = request.headers.get("authorization") == f"Bearer {self.api_key}"
        if self.api_key is not None and path.startswith(("/api/", "/v1/")) and not authorized:
            await exchange.answer(error_body("Invalid API token", "unauthorized"), 401)
            return
        if "upgrade" in request.headers and self.link is not None:
            await self._socket(exchange)
        elif (request.method, path) == ("GET", "/api/v1/models") and self.version >= 1:
            await exchange.answer({"models": [self._entry(model) for model in self.models]})
        elif (request.method, path) == ("GET", "/api/v0/models"):
            data = [self._old_entry(model) for model in self.models]
            await exchange.answer({"object": "list", "data": data})
        elif (request.method, path) == ("GET", "/v1/models"):
            data = [
                {"id": model.id, "object": "model", "owned_by": "organization_owner"}
                for model in self.models
            ]
            await exchange.answer({"object": "list", "data": data})
        elif (request.method, path) == ("POST", "/api/v1/models/load"):
            self.loads.append(request.json)
            answer = {"model_instance_id": request.json["model"], "load_time_seconds": 1.0}
            await exchange.answer(answer)
        elif request.method == "POST" and path in self.generating:
            await self._generate(exchange)
        else:
            message = f"Unexpected endpoint or method. ({request.method} {path})"
            await exchange.answer({"error": message})

    def _entry(self, model: FakeModel) -> dict[str, Any]:
        instances = (
            [{"id": model.id, "config": {"context_length": model.context, "parallel": 4}}]
            if model.loaded
            else []
        )
        return {
            "type": "llm",
            "publisher": "lmstudio-community",
            "key": model.id,
            "display_name": model.id,
            "architecture": model.architecture,
            "quantization": {"name": model.quantization, "bits_per_weight": 4},
            "size_bytes": model.size,
            "params_string": f"{round(model.parameters / 1e9)}B",
            "loaded_instances": instances,
            "max_context_length": model.trained_context,
            "format": "gguf",
            "capabilities": {"vision": False, "trained_for_tool_use": model.tools},
            "description": None,
        }

    def _old_entry(self, model: FakeModel) -> dict[str, Any]:
        return {
            "id": model.id,
            "object": "model",
            "type": "llm",
            "publisher": "lmstudio-community",
            "arch": model.architecture,
            "compatibility_type": "gguf",
            "quantization": model.quantization,
            "state": "loaded" if model.loaded else "not-loaded",
            "max_context_length": model.trained_context,
            **({"loaded_context_length": model.context} if model.loaded else {}),
            "capabilities": ["tool_use"] if model.tools else [],
        }

    async def _generate(self, exchange: Exchange) -> None:
        body = exchange.request.json
        model = self.find(str(body.get("model"))) or self.models[0]
        chat = "messages" in body
        prompt = (
            "\n".join(str(message.get("content")) for message in body["messages"])
            if chat
            else str(body["prompt"])
        )
        tokens = count_tokens(prompt)
        if tokens > model.context:
            message = (
                f"Trying to keep the first {tokens} tokens when context the overflows. However, "
                f"the model is loaded with context length of only {model.context} tokens"
            )
            await exchange.answer({"error": message}, 400)
            return
        script = self.next_script()
        pieces = self.pieces_for(script, body, body.get("max_tokens"))
        wire = (chat_wire if chat else completion_wire)(
            model.id, pieces, script, usage_of(tokens, len(pieces))
        )
        await self.play(exchange, script, wire)

    async def _socket(self, exchange: Exchange) -> None:
        """Speak the SDK's protocol: a handshake, then calls with their results."""
        key = exchange.request.headers["sec-websocket-key"]
        accept = base64.b64encode(hashlib.sha1((key + _MAGIC).encode()).digest()).decode()
        await exchange.switch(
            {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-accept": accept}
        )
        hello = await _receive(exchange.incoming)
        known = hello is not None and hello.get("authVersion") == 1
        await exchange.raw(_frame({"success": known} | ({} if known else {"error": "no"})))
        while (call := await _receive(exchange.incoming)) is not None:
            result = {"type": "rpcResult", "callId": call["callId"]}
            match exchange.request.path, call["endpoint"]:
                case "/repository", "lmLinkStatus":
                    result["result"] = {
                        "status": self.link,
                        "issues": [],
                        "peers": [],
                        "deviceIdentifier": None,
                        "deviceName": "laptop",
                    }
                case "/system", "listDownloadedModels":
                    result["result"] = [
                        {"type": "llm", "modelKey": model.id, "deviceIdentifier": model.device}
                        for model in self.models
                    ]
                case _:
                    result = {"type": "rpcError", "callId": call["callId"], "error": {}}
            await exchange.raw(_frame(result))


async def _receive(incoming: Incoming) -> dict[str, Any] | None:
    """Return the next message of the client; None when it closes."""
    first, second = await incoming.exactly(2)
    length = second & 0x7F
    if length >= 126:
        length = int.from_bytes(await incoming.exactly(2 if length == 126 else 8))
    mask = await incoming.exactly(4)
    data = await incoming.exactly(length)
    text = bytes(byte ^ mask[index % 4] for index, byte in enumerate(data))
    return json.loads(text) if first & 0x0F == 1 else None


def _frame(content: Any) -> bytes:
    data = json.dumps(content).encode()
    if len(data) < 126:
        return bytes([0x81, len(data)]) + data
    return bytes([0x81, 126]) + len(data).to_bytes(2) + data
