"""A fake of Mistral's platform: a route for holes, and no field that it does not know."""

from __future__ import annotations

from typing import Any

from .http import Exchange
from .model import FakeModel
from .openai_wire import chat_wire, usage_of
from .server import Failure, FakeServer, count_tokens

_COMMON = {"model", "max_tokens", "min_tokens", "temperature", "top_p", "stream", "stop"}
_CHAT = _COMMON | {
    "messages",
    "random_seed",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "safe_prompt",
    "n",
}
_FIM = _COMMON | {"prompt", "suffix", "random_seed"}


class FakeMistral(FakeServer):
    """Mistral's platform."""

    generating = ("/v1/chat/completions", "/v1/fim/completions")
    default_model = FakeModel("codestral-latest", context=256_000, quantization="", tools=True)

    async def route(self, exchange: Exchange) -> None:
        request = exchange.request
        authorization = request.headers.get("authorization")
        if self.api_key is not None and authorization != f"Bearer {self.api_key}":
            raise Failure(401, {"message": "Unauthorized", "request_id": "1"})
        match request.method, request.path:
            case "GET", "/v1/models":
                data = [
                    {
                        "id": model.id,
                        "object": "model",
                        "owned_by": "mistralai",
                        "max_context_length": model.context,
                        "capabilities": {
                            "completion_chat": True,
                            "completion_fim": bool(model.fim_tokens),
                            "function_calling": model.tools,
                        },
                    }
                    for model in self.models
                ]
                await exchange.answer({"object": "list", "data": data})
            case "POST", "/v1/fim/completions":
                body = self._checked(request.json, _FIM)
                if not (self._model(body).fim_tokens):
                    raise Failure(400, _error("Invalid model for FIM"))
                await self._stream(exchange, body, body["prompt"] + body.get("suffix", ""))
            case "POST", "/v1/chat/completions":
                body = self._checked(request.json, _CHAT)
                prompt = "\n".join(str(message.get("content")) for message in body["messages"])
                await self._stream(exchange, body, prompt)
            case _:
                raise Failure(404, {"message": "no Route matched with those values"})

    def _checked(self, body: dict[str, Any], known: set[str]) -> dict[str, Any]:
        unknown = sorted(set(body) - known)
        if unknown:
            detail = [
                {"type": "extra_forbidden", "loc": ["body", name], "msg": "Extra inputs"}
                for name in unknown
            ]
            raise Failure(422, {"object": "error", "message": {"detail": detail}})
        return body

    def _model(self, body: dict[str, Any]) -> FakeModel:
        model = self.find(str(body.get("model")))
        if model is None:
            raise Failure(400, _error(f"Invalid model: {body.get('model')}", "invalid_model"))
        return model

    async def _stream(self, exchange: Exchange, body: dict[str, Any], prompt: str) -> None:
        model = self._model(body)
        tokens = count_tokens(prompt)
        if tokens > model.context:
            message = (
                f"Prompt contains {tokens} tokens and 0 draft tokens, too large for model with "
                f"{model.context} maximum context length"
            )
            raise Failure(400, _error(message))
        script = self.next_script()
        pieces = self.pieces_for(script, body, body.get("max_tokens"))
        wire = chat_wire(model.id, pieces, script, usage_of(tokens, len(pieces)))
        await self.play(exchange, script, wire)


def _error(message: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {"object": "error", "message": message, "type": kind, "param": None, "code": None}
