"""A fake of OpenAI's platform: it wants a key, and strict schemas of its own subset."""

from __future__ import annotations

from typing import Any

from .http import Exchange
from .model import FakeModel
from .openai_wire import chat_wire, usage_of
from .server import Failure, FakeServer, count_tokens, error_body

#: What a strict schema may hold; anything else is refused.
_KEYWORDS = {
    *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
    *("anyOf", "$ref", "$defs", "description", "title", "pattern", "format"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minItems", "maxItems"),
}


class FakeOpenAI(FakeServer):
    """OpenAI's platform; with ``reasoning`` its models take neither temperature nor stop."""

    generating = ("/v1/chat/completions",)
    default_model = FakeModel("gpt-4o", context=128_000, quantization="", fim_tokens=())

    def __init__(self, *arguments: Any, strict: bool = True, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.strict = strict
        self.not_for_chat = ("text-embedding-3-small", "whisper-1", "dall-e-3")

    async def route(self, exchange: Exchange) -> None:
        request = exchange.request
        authorization = request.headers.get("authorization")
        if self.api_key is not None and authorization != f"Bearer {self.api_key}":
            message = f"Incorrect API key provided: {authorization}."
            raise Failure(401, error_body(message, "invalid_request_error", "invalid_api_key"))
        match request.method, request.path:
            case "GET", "/v1/models":
                ids = [*(model.id for model in self.models), *self.not_for_chat]
                data = [
                    {"id": id_, "object": "model", "created": 1, "owned_by": "openai"}
                    for id_ in ids
                ]
                await exchange.answer({"object": "list", "data": data})
            case "POST", "/v1/chat/completions":
                await self._chat(exchange)
            case _:
                message = f"Invalid URL ({request.method} {request.path})"
                raise Failure(404, error_body(message, "invalid_request_error"))

    async def _chat(self, exchange: Exchange) -> None:
        body = exchange.request.json
        model = self.find(str(body.get("model")))
        if model is None:
            message = f"The model `{body.get('model')}` does not exist or you do not have access."
            raise Failure(404, error_body(message, "invalid_request_error", "model_not_found"))
        if len(body.get("stop") or ()) > 4:
            raise Failure(400, error_body("'stop' is too long", "invalid_request_error"))
        schema = (body.get("response_format") or {}).get("json_schema")
        if schema is not None and schema.get("strict") and self.strict:
            check_strict(schema["schema"])
        prompt = "\n".join(str(message.get("content")) for message in body["messages"])
        tokens = count_tokens(prompt)
        if tokens > model.context:
            message = (
                f"This model's maximum context length is {model.context} tokens. However, your "
                f"messages resulted in {tokens} tokens."
            )
            raise Failure(
                400, error_body(message, "invalid_request_error", "context_length_exceeded")
            )
        script = self.next_script()
        limit = body.get("max_completion_tokens", body.get("max_tokens"))
        pieces = self.pieces_for(script, body, limit)
        usage = usage_of(tokens, len(pieces), script.cached or 0)
        await self.play(
            exchange, script, chat_wire(f"{model.id}-2024-08-06", pieces, script, usage)
        )


def check_strict(schema: Any) -> None:
    """Refuse a schema that strict mode does not take.

    Raises:
        Failure: with the real platform's answer.
    """
    if not isinstance(schema, dict):
        return
    unknown = set(schema) - _KEYWORDS
    if unknown:
        _refuse(f"'{min(unknown)}' is not permitted")
    if schema.get("type") == "object" or "properties" in schema:
        if schema.get("additionalProperties") is not False:
            _refuse("'additionalProperties' is required to be supplied and to be false")
        if set(schema.get("required") or ()) != set(schema.get("properties") or ()):
            _refuse("'required' is required to be supplied and to include every key")
    for inner in (schema.get("properties") or {}, schema.get("$defs") or {}):
        for part in inner.values():
            check_strict(part)
    check_strict(schema.get("items"))
    for part in schema.get("anyOf") or ():
        check_strict(part)


def _refuse(why: str) -> None:
    message = f"Invalid schema for response_format 'answer': {why}."
    raise Failure(400, error_body(message, "invalid_request_error"))
