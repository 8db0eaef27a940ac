"""A fake of Anthropic's Messages: named events, pings, and rules for turns."""

from __future__ import annotations

import json
from typing import Any

from .http import Exchange
from .model import FakeModel
from .server import Failure, FakeServer, Wire, count_tokens, sse


class FakeAnthropic(FakeServer):
    """Anthropic's platform."""

    generating = ("/v1/messages",)
    default_model = FakeModel(
        "claude-sonnet-4-5", context=200_000, quantization="", fim_tokens=(), tools=True
    )

    async def route(self, exchange: Exchange) -> None:
        request = exchange.request
        if self.api_key is not None and request.headers.get("x-api-key") != self.api_key:
            raise Failure(401, _error("authentication_error", "invalid x-api-key"))
        if "anthropic-version" not in request.headers:
            message = "anthropic-version: header is required"
            raise Failure(400, _error("invalid_request_error", message))
        match request.method, request.path:
            case "GET", "/v1/models":
                data = [
                    {"type": "model", "id": model.id, "display_name": model.id}
                    for model in self.models
                ]
                await exchange.answer({"data": data, "has_more": False})
            case "POST", "/v1/messages":
                await self._messages(exchange)
            case _:
                raise Failure(404, _error("not_found_error", "Not found"))

    async def _messages(self, exchange: Exchange) -> None:
        body = exchange.request.json
        model = self.find(str(body.get("model")))
        if model is None:
            raise Failure(404, _error("not_found_error", f"model: {body.get('model')}"))
        _check(body)
        tokens = count_tokens(json.dumps(body["messages"]) + str(body.get("system", "")))
        if tokens > model.context:
            message = f"prompt is too long: {tokens} tokens > {model.context} maximum"
            raise Failure(400, _error("invalid_request_error", message))
        script = self.next_script()
        pieces = self.pieces_for(script, body, body["max_tokens"])
        usage = {
            "input_tokens": tokens,
            "cache_read_input_tokens": script.cached or 0,
            "output_tokens": 1,
        }
        start = {"type": "message_start", "message": {"model": model.id, "usage": usage}}
        choice = body.get("tool_choice") or {}
        finish: str | None
        if script.tool_calls:
            events = [part for call in enumerate(script.tool_calls) for part in _tool(*call)]
            finish = "tool_use"
        elif choice.get("type") == "tool":
            # The forced tool's input is the answer.
            events = list(_tool(0, (choice["name"], "".join(pieces))))
            finish = "tool_use"
        else:
            events = _text(pieces)
            names = {"stop": "end_turn", "length": "max_tokens"}
            finish = "refusal" if script.refusal else names.get(str(script.finish), script.finish)
        delta = {
            "type": "message_delta",
            "delta": {"stop_reason": finish, "stop_sequence": None},
            "usage": {"output_tokens": len(pieces)},
        }
        error = script.error or {"type": "overloaded_error", "message": "Overloaded"}
        wire = Wire(
            "text/event-stream",
            _event(start),
            events,
            _event(delta),
            _event({"type": "message_stop"}),
            _event({"type": "error", "error": error}),
            _event({"type": "ping"}),
        )
        await self.play(exchange, script, wire)


def _check(body: dict[str, Any]) -> None:
    if not isinstance(body.get("max_tokens"), int):
        raise Failure(400, _error("invalid_request_error", "max_tokens: Field required"))
    if not 0 <= body.get("temperature", 1) <= 1:
        raise Failure(400, _error("invalid_request_error", "temperature: must be 0 to 1"))
    roles = [message["role"] for message in body["messages"]]
    if not roles or roles[0] != "user" or set(roles) - {"user", "assistant"}:
        raise Failure(400, _error("invalid_request_error", "messages: first must be user"))
    for before, after in zip(body["messages"], [*body["messages"][1:], None], strict=True):
        uses = {block["id"] for block in _blocks(before) if block.get("type") == "tool_use"}
        results = {
            block.get("tool_use_id")
            for block in _blocks(after)
            if block.get("type") == "tool_result"
        }
        if uses - results:
            message = "`tool_use` ids were found without `tool_result` blocks immediately after"
            raise Failure(400, _error("invalid_request_error", message))


def _blocks(message: dict[str, Any] | None) -> list[dict[str, Any]]:
    content = message["content"] if message is not None else []
    return content if isinstance(content, list) else []


def _text(pieces: list[str]) -> list[bytes]:
    if not pieces:
        return []
    opened = {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}
    events = [
        _event(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": piece},
            }
        )
        for piece in pieces
    ]
    events[0] = _event(opened) + events[0]
    events[-1] += _event({"type": "content_block_stop", "index": 0})
    return events


def _tool(index: int, call: tuple[str, str]) -> list[bytes]:
    name, arguments = call
    block = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    opened = {"type": "content_block_start", "index": index, "content_block": block}
    middle = len(arguments) // 2
    deltas = [
        _event(
            {
                "type": "content_block_delta",
                "index": index,
                "delta": {"type": "input_json_delta", "partial_json": part},
            }
        )
        for part in (arguments[:middle], arguments[middle:])
    ]
    return [_event(opened), *deltas, _event({"type": "content_block_stop", "index": index})]


def _event(event: dict[str, Any]) -> bytes:
    return sse(event, event["type"])


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}}
