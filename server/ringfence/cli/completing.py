"""Asks the real language server for one completion, as an editor would."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ringfence.context.document import Position, position_from_units, position_to_units, split_lines
from ringfence.context.position_encoding import PositionEncoding

from .lsp_client import LspClient, connect
from .output import DEBUG_VARIABLE

#: Reasons that waiting may mend: the engine is still loading its model, or reads slowly.
_WORTH_WAITING = frozenset({"overloaded", "deadline"})

#: Seconds between two attempts.
_PAUSE = 0.5

_LANGUAGES = {
    ".c": "c", ".cc": "cpp", ".cpp": "cpp", ".cs": "csharp", ".css": "css", ".go": "go",
    ".h": "c", ".hpp": "cpp", ".html": "html", ".java": "java", ".js": "javascript",
    ".json": "json", ".jsx": "javascriptreact", ".kt": "kotlin", ".lua": "lua", ".md": "markdown",
    ".php": "php", ".py": "python", ".pyi": "python", ".rb": "ruby", ".rs": "rust",
    ".scala": "scala", ".sh": "shellscript", ".sql": "sql", ".swift": "swift",
    ".toml": "toml", ".ts": "typescript", ".tsx": "typescriptreact", ".yaml": "yaml",
    ".yml": "yaml",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Completed:
    """What the server answered.

    Attributes:
        text: what is to be inserted at the cursor; empty for nothing.
        start: where the replaced range begins.
        end: where it ends.
        answer: what ``ringfence.status`` says of the answer: backend, model, times, reason.
        call: what it says of the last call of a model; empty when there was none.
        model: what it says of the model; empty when it says nothing.
        seconds: from the request to the answer, waiting included.
    """

    text: str
    start: Position
    end: Position
    answer: Mapping[str, Any]
    call: Mapping[str, Any]
    model: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True, slots=True)
class Served:
    """A running server, and how long its start took.

    Attributes:
        seconds: from its start to the reply to ``initialize``.
        encoding: what its columns count.
    """

    client: LspClient
    seconds: float
    encoding: PositionEncoding
    opened: set[str] = field(default_factory=set)


@asynccontextmanager
async def serve_folder(
    folder: Path, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Served]:
    """Start this program's language server as the editor of ``folder`` would."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "ringfence", "serve"]
    async with connect(command, environment) as client:
        reply = await client.request("initialize", _initialize_params(folder))
        seconds = time.perf_counter() - started
        encoding = reply["capabilities"].get("positionEncoding", "utf-16")
        client.notify("initialized", {})
        yield Served(client, seconds, PositionEncoding(encoding))


async def complete_at(
    served: Served, file: Path, text: str, cursor: Position, patience: float
) -> Completed:
    """Complete at a cursor.

    Args:
        served: the server.
        file: the document's path; it need not be saved.
        text: the document's text.
        cursor: where; both zero-based, the column in code points.
        patience: seconds to wait for a model that is still loading.
    """
    uri, lines = file.as_uri(), split_lines(text)
    document = {"uri": uri, "languageId": language_of(file), "version": 1, "text": text}
    if uri not in served.opened:
        served.opened.add(uri)
        served.client.notify("textDocument/didOpen", {"textDocument": document})
    line, character = position_to_units(lines, cursor, served.encoding)
    params = {
        "textDocument": {"uri": uri},
        "position": {"line": line, "character": character},
        "context": {"triggerKind": 1},
    }
    started = time.perf_counter()
    while True:
        result = await served.client.request("textDocument/inlineCompletion", params)
        seconds = time.perf_counter() - started
        items = result["items"] if isinstance(result, dict) else result or []
        status = await _status(served.client)
        answer = status["answers"][-1]
        worth_waiting = not items and answer.get("result") in _WORTH_WAITING
        if not worth_waiting or seconds + _PAUSE > patience:
            break
        await asyncio.sleep(_PAUSE)
    call = status["calls"][-1] if status["calls"] else {}
    if not items:
        return Completed("", cursor, cursor, answer, call, {}, seconds)
    item = items[0]

    def place(which: str) -> Position:
        if not item.get("range"):
            return cursor
        edge = item["range"][which]
        return position_from_units(lines, edge["line"], edge["character"], served.encoding)

    model = _model(status, answer)
    return Completed(item["insertText"], place("start"), place("end"), answer, call, model, seconds)


def language_of(file: Path) -> str:
    """Return the language identifier of a file, by its name."""
    return _LANGUAGES.get(file.suffix.lower(), "plaintext")


async def _status(client: LspClient) -> dict[str, Any]:
    status = await client.request("workspace/executeCommand", {"command": "ringfence.status"})
    if "error" in status:
        detail = f"{status['error']} To see the log, set {DEBUG_VARIABLE}=1."
    else:
        detail = "The server did not say why."
    unknown = {"result": "failed", "detail": detail}
    return {
        "backends": status.get("backends") or [],
        "answers": status.get("answers") or [unknown],
        "calls": status.get("calls") or [],
    }


def _model(status: Mapping[str, Any], answer: Mapping[str, Any]) -> Mapping[str, Any]:
    for backend in status["backends"]:
        for model in backend["models"]:
            if (backend["name"], model["id"]) == (answer.get("backend"), answer.get("model")):
                found: Mapping[str, Any] = model
                return found
    return {}


def _initialize_params(folder: Path) -> dict[str, Any]:
    return {
        "processId": os.getpid(),
        "clientInfo": {"name": "ringfence"},
        "rootUri": folder.as_uri(),
        "workspaceFolders": [{"uri": folder.as_uri(), "name": folder.name}],
        "capabilities": {
            "general": {"positionEncodings": ["utf-32", "utf-16"]},
            "textDocument": {"inlineCompletion": {}},
            "workspace": {"configuration": True, "workspaceFolders": True},
        },
    }
