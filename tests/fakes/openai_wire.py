"""OpenAI's streaming protocol, which most servers speak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .script import Script
from .server import Wire, sse

DONE = b"data: [DONE]\n\n"


def completion_wire(
    model: str, pieces: Sequence[str], script: Script, usage: dict[str, Any], **more: Any
) -> Wire:
    """Return a stream of ``/v1/completions``; ``more`` stands in the last event."""
    base = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": model}

    def event(text: str, finish: str | None, **extra: Any) -> bytes:
        choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return sse({**base, "choices": [choice], **extra})

    tail = event("", script.finish, **more) + sse({**base, "choices": [], "usage": usage})
    return _wire([event(piece, None) for piece in pieces], tail, script)


def chat_wire(
    model: str, pieces: Sequence[str], script: Script, usage: dict[str, Any], **more: Any
) -> Wire:
    """Return a stream of ``/v1/chat/completions``; ``more`` stands in the last event."""
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": model}

    def event(delta: dict[str, Any], finish: str | None = None, **extra: Any) -> bytes:
        return sse(
            {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **extra}
        )

    events = [event({"content": piece}) for piece in pieces]
    if script.refusal is not None:
        events = [event({"refusal": script.refusal})]
    finish = script.finish
    if script.tool_calls:
        events = list(_calls(script, event))
        finish = "tool_calls"
    tail = event({}, finish, **more) + sse({**base, "choices": [], "usage": usage})
    wire = _wire(events, tail, script)
    wire.head = event({"role": "assistant", "content": ""})
    return wire


def _calls(script: Script, event: Any) -> Any:
    for number, (name, arguments) in enumerate(script.tool_calls):
        function = {"name": name, "arguments": ""}
        call = {"index": number, "id": f"call_{number}", "type": "function", "function": function}
        yield event({"tool_calls": [call]})
        middle = len(arguments) // 2
        for part in (arguments[:middle], arguments[middle:]):
            yield event({"tool_calls": [{"index": number, "function": {"arguments": part}}]})


def _wire(pieces: list[bytes], tail: bytes, script: Script) -> Wire:
    error = script.error or {"message": "the model crashed", "type": "server_error", "code": 500}
    return Wire("text/event-stream", b"", pieces, tail, DONE, sse({"error": error}))


def usage_of(prompt: int, output: int, cached: int | None = None) -> dict[str, Any]:
    """Return token counts in OpenAI's form."""
    usage: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
    }
    if cached is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    return usage
