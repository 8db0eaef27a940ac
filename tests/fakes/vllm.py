"""A fake of vLLM: it refuses ``suffix``, generates 16 tokens unasked, and knows its models."""

from __future__ import annotations

from typing import Any

from .http import Exchange
from .model import FakeModel
from .openai_wire import chat_wire, completion_wire, usage_of
from .server import Failure, FakeServer, count_tokens, error_body

_DEFAULT_TOKENS = 16


class FakeVllm(FakeServer):
    """vLLM's OpenAI-compatible server."""

    generating = ("/v1/completions", "/v1/chat/completions")
    default_model = FakeModel("Qwen/Qwen2.5-Coder-7B", context=16_384, quantization="")
    owner = "vllm"

    async def route(self, exchange: Exchange) -> None:
        request = exchange.request
        authorized = request.headers.get("authorization") == f"Bearer {self.api_key}"
        if request.path.startswith("/v1/") and self.api_key is not None and not authorized:
            raise Failure(401, {"error": "Unauthorized"})
        match request.method, request.path:
            case "GET", "/health":
                await exchange.answer(b"", kind="text/plain")
            case "GET", "/version":
                await exchange.answer({"version": "0.32.0"})
            case "GET", "/v1/models":
                data = [
                    {
                        "id": model.id,
                        "object": "model",
                        "created": 1,
                        "owned_by": self.owner,
                        "root": model.id,
                        "max_model_len": model.context,
                    }
                    for model in self.models
                ]
                await exchange.answer({"object": "list", "data": data})
            case "POST", "/tokenize":
                text = str(request.json["prompt"])
                tokens = list(range(count_tokens(text)))
                await exchange.answer({"count": len(tokens), "tokens": tokens})
            case "POST", "/v1/completions":
                await self._complete(exchange)
            case "POST", "/v1/chat/completions":
                await self._chat(exchange)
            case _:
                raise Failure(404, {"detail": "Not Found"})

    async def _complete(self, exchange: Exchange) -> None:
        body = exchange.request.json
        if body.get("suffix"):
            raise Failure(400, error_body("suffix is not currently supported", "BadRequestError"))
        prompt = str(body["prompt"])
        limit, usage = self._prepare(body, prompt, body.get("max_tokens") or _DEFAULT_TOKENS)
        script = self.next_script()
        pieces = self.pieces_for(script, body, limit)
        usage["completion_tokens"] = len(pieces)
        await self.play(exchange, script, completion_wire(body["model"], pieces, script, usage))

    async def _chat(self, exchange: Exchange) -> None:
        body = exchange.request.json
        prompt = "\n".join(str(message.get("content")) for message in body["messages"])
        limit, usage = self._prepare(body, prompt, body.get("max_tokens") or 1024)
        script = self.next_script()
        pieces = self.pieces_for(script, body, limit)
        usage["completion_tokens"] = len(pieces)
        await self.play(exchange, script, chat_wire(body["model"], pieces, script, usage))

    def _prepare(self, body: dict[str, Any], prompt: str, limit: int) -> tuple[int, dict[str, Any]]:
        model = self.find(str(body.get("model")))
        if model is None:
            message = f"The model `{body.get('model')}` does not exist."
            raise Failure(404, error_body(message, "NotFoundError", 404))
        tokens = count_tokens(prompt)
        if tokens + limit > model.context:
            message = (
                f"This model's maximum context length is {model.context} tokens. However, you "
                f"requested {tokens + limit} tokens ({tokens} in the messages, {limit} in the "
                "completion). Please reduce the length of the messages or completion."
            )
            raise Failure(400, error_body(message, "BadRequestError", 400))
        return limit, usage_of(tokens, 0)
