"""A fake of llama.cpp's server, as measured on the real one.

It ignores unknown model names and ``suffix``, refuses a prompt that does not fit before any
event, knows ``/infill`` only for models with the tokens, and tells how much of a prompt it
had read before. ``loading`` makes it answer 503, as it does while the model loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qs

from .http import Exchange
from .model import FakeModel
from .openai_wire import chat_wire, completion_wire, usage_of
from .server import Failure, FakeServer, Wire, count_tokens, error_body, sse

_OPEN = ("/health", "/v1/health")


class FakeLlamaCpp(FakeServer):
    """``llama-server``; with several models it is a router that loads them on demand."""

    generating = ("/v1/completions", "/v1/chat/completions", "/infill", "/completion")
    default_model = FakeModel("/home/user/models/qwen2.5-coder-7b-instruct-q4_k_m.gguf")

    def __init__(
        self, models: Sequence[FakeModel] | None = None, *, slots: int = 1, **more: Any
    ) -> None:
        super().__init__(models, **more)
        self.loading = False
        self.slots = slots
        self._read = ""

    async def route(self, exchange: Exchange) -> None:
        request = exchange.request
        if self.loading:
            raise Failure(503, error_body("Loading model", "unavailable_error", 503))
        if request.path not in _OPEN:
            self._check_key(request.headers.get("authorization"))
        match request.method, request.path:
            case "GET", "/health" | "/v1/health":
                await exchange.answer({"status": "ok"})
            case "GET", "/props":
                await exchange.answer(self._props(request.query))
            case "GET", "/v1/models" | "/models":
                data = [self._entry(model) for model in self.models]
                await exchange.answer({"object": "list", "data": data})
            case "POST", "/tokenize":
                await exchange.answer({"tokens": self._tokens(request.json)})
            case "POST", "/v1/completions":
                await self._complete(exchange, str(request.json["prompt"]))
            case "POST", "/v1/chat/completions":
                await self._chat(exchange)
            case "POST", "/infill":
                await self._infill(exchange)
            case _:
                raise Failure(404, error_body("File Not Found", "not_found_error", 404))

    def _check_key(self, header: str | None) -> None:
        if self.api_key is not None and header != f"Bearer {self.api_key}":
            raise Failure(401, error_body("Invalid API Key", "authentication_error", 401))

    def _props(self, query: str) -> dict[str, Any]:
        model = self.models[0]
        if len(self.models) > 1:
            wanted = parse_qs(query).get("model")
            if wanted is None:
                return {"role": "router", "max_instances": 4, "default_generation_settings": {}}
            model = self._named(wanted[0])
        return {
            "default_generation_settings": {"n_ctx": model.context, "params": {}},
            "total_slots": self.slots,
            "model_path": model.id,
            "chat_template": "{{ messages }}",
            "chat_template_caps": {"supports_tools": model.tools},
            "build_info": "b7000-fake",
        }

    def _entry(self, model: FakeModel) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "id": model.id,
            "object": "model",
            "owned_by": "llamacpp",
            "meta": {
                "vocab_type": 2,
                "n_vocab": 152_064,
                "n_ctx_train": model.trained_context,
                "n_embd": model.width,
                "n_params": model.parameters,
                "size": model.size,
            },
        }
        if len(self.models) > 1:
            entry["status"] = {"value": "loaded" if model.loaded else "unloaded"}
        return entry

    def _tokens(self, body: dict[str, Any]) -> list[int]:
        content = str(body["content"])
        if body.get("parse_special", True) and content in self.models[0].fim_tokens:
            return [151_659]
        return list(range(count_tokens(content)))

    def _named(self, name: str) -> FakeModel:
        """Return the model that serves a request: with one model the name does not matter."""
        found = self.find(name)
        if found is None:
            if len(self.models) > 1:
                raise Failure(400, error_body("model not found", "invalid_request_error", 400))
            return self.models[0]
        return found

    async def _complete(self, exchange: Exchange, prompt: str) -> None:
        body = exchange.request.json
        model = self._named(str(body.get("model", "")))
        timings = self._timings(prompt, model)
        script = self.next_script()
        limit = body.get("max_tokens", body.get("n_predict"))
        pieces = self.pieces_for(script, body, limit)
        usage = usage_of(timings["prompt_n"] + timings["cache_n"], len(pieces))
        wire = completion_wire(_name(model), pieces, script, usage, timings=timings)
        await self.play(exchange, script, wire)

    async def _chat(self, exchange: Exchange) -> None:
        body = exchange.request.json
        model = self._named(str(body.get("model", "")))
        prompt = "\n".join(str(message.get("content")) for message in body["messages"])
        timings = self._timings(prompt, model)
        script = self.next_script()
        pieces = self.pieces_for(script, body, body.get("max_tokens"))
        usage = usage_of(timings["prompt_n"] + timings["cache_n"], len(pieces))
        wire = chat_wire(_name(model), pieces, script, usage, timings=timings)
        await self.play(exchange, script, wire)

    async def _infill(self, exchange: Exchange) -> None:
        body = exchange.request.json
        model = self._named(str(body.get("model", "")))
        if not model.fim_tokens:
            message = "prefix token is missing. suffix token is missing. "
            raise Failure(501, error_body(message, "not_supported_error", 501))
        for name in ("input_prefix", "input_suffix"):
            if name not in body:
                raise Failure(400, error_body(f'"{name}" is required', "invalid_request_error"))
        timings = self._timings(body["input_prefix"] + body["input_suffix"], model)
        script = self.next_script()
        pieces = self.pieces_for(script, body, body.get("n_predict"))
        events = [sse({"index": 0, "content": piece, "stop": False}) for piece in pieces]
        last = {
            "index": 0,
            "content": "",
            "stop": True,
            "stop_type": {"stop": "eos", "length": "limit"}.get(script.finish or "", "none"),
            "model": _name(model),
            "tokens_predicted": len(pieces),
            "tokens_evaluated": timings["prompt_n"] + timings["cache_n"],
            "timings": timings,
        }
        error = sse({"error": script.error or {"message": "crashed", "type": "server_error"}})
        # Its own routes end with the last event and send no [DONE].
        await self.play(
            exchange, script, Wire("text/event-stream", b"", events, b"", sse(last), error)
        )

    def _timings(self, prompt: str, model: FakeModel) -> dict[str, Any]:
        tokens = count_tokens(prompt)
        if tokens >= model.context:
            message = "the request exceeds the available context size, try increasing it"
            raise Failure(
                400,
                error_body(
                    message,
                    "exceed_context_size_error",
                    400,
                    n_prompt_tokens=tokens,
                    n_ctx=model.context,
                ),
            )
        shared = _shared(self._read, prompt) // 4
        cached = min(shared, max(tokens - 1, 0)) if self._read else 0
        self._read = prompt
        return {"cache_n": cached, "prompt_n": tokens - cached, "predicted_n": 1}


def _shared(before: str, now: str) -> int:
    """Return the length of the start that two texts have in common."""
    pairs = zip(before, now, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(before), len(now)))


def _name(model: FakeModel) -> str:
    return model.id.rpartition("/")[2]
