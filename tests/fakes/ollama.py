"""A fake of Ollama: silent truncation, remote models behind local names, errors under 200."""

from __future__ import annotations

import json
from typing import Any

from .http import Exchange
from .model import FakeModel
from .openai_wire import chat_wire, completion_wire, usage_of
from .script import Script
from .server import Failure, FakeServer, Wire, count_tokens

_DEFAULT_CONTEXT = 4096


class FakeOllama(FakeServer):
    """An Ollama server.

    Attributes:
        loads: the names and context windows of the models that were loaded, in order.
        prompts: the prompts as the model saw them, after silent truncation.
    """

    generating = ("/api/generate", "/api/chat", "/v1/completions", "/v1/chat/completions")

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.loads: list[tuple[str, int]] = []
        self.prompts: list[str] = []
        self.aliases: dict[str, FakeModel] = {}
        self._windows: dict[str, int] = {m.id: m.context for m in self.models if m.loaded}

    async def route(self, exchange: Exchange) -> None:
        request = exchange.request
        match request.method, request.path:
            case "GET", "/":
                await exchange.answer("Ollama is running", kind="text/plain")
            case "GET", "/api/version":
                await exchange.answer({"version": "0.17.4"})
            case "GET", "/api/tags":
                await exchange.answer({"models": [self._tag(model) for model in self.models]})
            case "GET", "/api/ps":
                loaded = [self._running(m) for m in self.models if m.id in self._windows]
                await exchange.answer({"models": loaded})
            case "POST", "/api/show":
                await exchange.answer(self._show(self._model(request.json)))
            case "POST", "/api/generate":
                await self._generate(exchange)
            case "POST", "/api/chat":
                await self._chat(exchange)
            case "POST", "/v1/completions" | "/v1/chat/completions":
                await self._openai(exchange)
            case "GET", "/v1/models":
                data = [{"id": m.id, "object": "model", "owned_by": "library"} for m in self.models]
                await exchange.answer({"object": "list", "data": data})
            case _:
                raise Failure(404, "404 page not found", "text/plain")

    def _model(self, body: dict[str, Any]) -> FakeModel:
        name = str(body.get("model"))
        found = self.find(name) or self.find(f"{name}:latest")
        if found is None:
            raise Failure(404, {"error": f"model '{name}' not found"})
        return found

    def _details(self, model: FakeModel) -> dict[str, Any]:
        return {
            "parent_model": "",
            "format": "" if model.remote_host else "gguf",
            "family": model.architecture,
            "families": [model.architecture],
            "parameter_size": model.parameter_size,
            "quantization_level": model.quantization,
        }

    def _remote(self, model: FakeModel) -> dict[str, Any]:
        if model.remote_host is None:
            return {}
        return {"remote_host": model.remote_host, "remote_model": model.remote_model or model.id}

    def _tag(self, model: FakeModel) -> dict[str, Any]:
        return {
            "name": model.id,
            "model": model.id,
            **self._remote(model),
            "size": 384 if model.remote_host else model.size,
            "digest": "0" * 64,
            "details": self._details(model),
        }

    def _running(self, model: FakeModel) -> dict[str, Any]:
        window = self._windows[model.id]
        return self._tag(model) | {"size_vram": 0, "context_length": window, "expires_at": ""}

    def _show(self, model: FakeModel) -> dict[str, Any]:
        capabilities = ["completion"]
        capabilities += ["insert"] if model.insert else []
        capabilities += ["tools"] if model.tools else []
        return {
            "license": "",
            "template": "{{ .Prompt }}",
            "details": self._details(model),
            "model_info": {
                "general.architecture": model.architecture,
                "general.parameter_count": model.parameters,
                f"{model.architecture}.context_length": model.trained_context,
                f"{model.architecture}.block_count": model.layers,
                f"{model.architecture}.attention.head_count": model.heads,
                f"{model.architecture}.attention.head_count_kv": model.kv_heads,
                f"{model.architecture}.embedding_length": model.width,
            },
            "capabilities": capabilities,
            **self._remote(model),
        }

    async def _generate(self, exchange: Exchange) -> None:
        body = exchange.request.json
        model = self._model(body)
        if body.get("suffix") and not model.insert:
            message = f"registry.ollama.ai/library/{model.id} does not support insert"
            raise Failure(400, {"error": message})
        prompt = str(body.get("prompt") or "")
        window = self._load(model, body)
        if not prompt and not body.get("suffix"):
            unloaded = body.get("keep_alive") in (0, "0", "0s")
            if unloaded:
                self._windows.pop(model.id, None)
            reason = "unload" if unloaded else "load"
            answer = {"model": model.id, "response": "", "done": True, "done_reason": reason}
            await exchange.answer(answer)
            return
        tokens = self._fit(prompt + str(body.get("suffix") or ""), body, window)
        await self._play(exchange, model, tokens, lambda text: {"response": text})

    async def _chat(self, exchange: Exchange) -> None:
        body = exchange.request.json
        model = self._model(body)
        if body.get("tools") and not model.tools:
            message = f"registry.ollama.ai/library/{model.id} does not support tools"
            raise Failure(400, {"error": message})
        window = self._load(model, body)
        prompt = "\n".join(str(message.get("content")) for message in body["messages"])
        tokens = self._fit(prompt, body, window)
        await self._play(
            exchange,
            model,
            tokens,
            lambda text: {"message": {"role": "assistant", "content": text}},
        )

    def _load(self, model: FakeModel, body: dict[str, Any]) -> int:
        """Load the model; another context window than before loads it anew."""
        wanted = (body.get("options") or {}).get("num_ctx") or _DEFAULT_CONTEXT
        window = min(wanted, model.trained_context)
        if model.remote_host is None and self._windows.get(model.id) != window:
            self._windows[model.id] = window
            self.loads.append((model.id, window))
        return int(window)

    def _fit(self, prompt: str, body: dict[str, Any], window: int) -> int:
        """Return the prompt's tokens; what does not fit is cut off, unless that is refused."""
        tokens = count_tokens(prompt)
        if tokens > window:
            if body.get("truncate") is False:
                raise Failure(400, {"error": "the input length exceeds the context length"})
            half = window * 2
            prompt = prompt[:4] + prompt[-half:]
            tokens = count_tokens(prompt)
        self.prompts.append(prompt)
        return tokens

    async def _play(self, exchange: Exchange, model: FakeModel, tokens: int, form: Any) -> None:
        body = exchange.request.json
        script = self.next_script()
        limit = (body.get("options") or {}).get("num_predict")
        pieces = self.pieces_for(script, body, limit)
        base = {"model": model.id, **self._remote(model), "created_at": "2026-01-01T00:00:00Z"}
        lines = [_line({**base, **form(piece), "done": False}) for piece in pieces]
        if script.tool_calls:
            calls = [
                {"function": {"name": name, "arguments": json.loads(arguments)}}
                for name, arguments in script.tool_calls
            ]
            message = {"role": "assistant", "content": "", "tool_calls": calls}
            lines = [_line({**base, "message": message, "done": False})]
        last = {
            **base,
            **form(""),
            "done": True,
            "done_reason": script.finish,
            "prompt_eval_count": tokens,
            "eval_count": len(pieces),
            "eval_duration": 1000,
        }
        error = script.error or "an error was encountered while running the model"
        wire = Wire(
            "application/x-ndjson",
            pieces=lines,
            end=_line(last),
            error=_line({"error": error}),
            ping=b"\n",
        )
        await self.play(exchange, script, wire)

    async def _openai(self, exchange: Exchange) -> None:
        body = exchange.request.json
        model = self._model(body)
        window = self._load(model, {})
        script: Script = self.next_script()
        pieces = self.pieces_for(script, body, body.get("max_tokens"))
        if "messages" in body:
            prompt = "\n".join(str(message.get("content")) for message in body["messages"])
            usage = usage_of(self._fit(prompt, {}, window), len(pieces))
            await self.play(exchange, script, chat_wire(model.id, pieces, script, usage))
            return
        usage = usage_of(self._fit(str(body["prompt"]), {}, window), len(pieces))
        await self.play(exchange, script, completion_wire(model.id, pieces, script, usage))


def _line(content: dict[str, Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode() + b"\n"
