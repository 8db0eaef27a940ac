"""A server with a scripted application, run as a process by the tests.

What the application does is written in the document's last line; what happened to it is
told by the command ``test.events``.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lsprotocol import types

from ringfence.completion.values import (
    Candidate,
    CompletionAnswer,
    CompletionRequest,
    EmptyReason,
    Timing,
)
from ringfence.context.document import Position
from ringfence.lsp.application_port import Editor, FallbackSetting
from ringfence.lsp.errors import RequestFailed
from ringfence.lsp.execute_command import COMMANDS
from ringfence.lsp.progress import work_done_progress
from ringfence.lsp.run import serve_stdio, serve_tcp, serve_websocket
from ringfence.lsp.session import Session
from ringfence.privacy import Source, SourceKind, Zone

SECRET = "the-secret-text-of-a-document"


@dataclass(frozen=True)
class ScriptedVerdict:
    excluded: str | None


class ScriptedRing:
    def __init__(self, events: list[Any]) -> None:
        self._events = events

    def verdict(self, uri: str) -> ScriptedVerdict:
        return ScriptedVerdict("it is a key" if uri.endswith(".pem") else None)

    def source(self, uri: str, kind: SourceKind) -> Source:
        return Source(kind, file=uri.rpartition("/")[2])

    def set_folders(self, folders: Sequence[str]) -> None:
        self._events.append(["folders", list(folders)])

    def set_editor_setting(self, folder: str, allow: Zone | None) -> None:
        self._events.append(["allow", folder, None if allow is None else allow.label])


class ScriptedApplication:
    """Completes by what stands in the last line of the document."""

    def __init__(self, editor: Editor) -> None:
        self.editor = editor
        self.events: list[Any] = []
        self.ring = ScriptedRing(self.events)
        self.completion_fallback: FallbackSetting = "auto"
        self._answers = 0

    async def start(self) -> None:
        self.events.append(["started"])

    async def aclose(self) -> None:
        print("application closed", file=sys.stderr, flush=True)

    async def complete(self, request: CompletionRequest) -> CompletionAnswer:
        text = request.document.text
        self.events.append(
            [
                "complete",
                request.document.version,
                text,
                list(request.cursor),
                request.trigger.value,
            ]
        )
        script = request.document.lines[-1]
        self._answers += 1
        if request.excluded:
            return self._empty(EmptyReason.EXCLUDED, request.excluded)
        if "hang" in script:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.events.append(["cancelled completion", request.document.version])
                raise
        if "crash" in script:
            raise ValueError(f"{SECRET} in /home/somebody/private/code.py")
        if "nothing" in script:
            return self._empty(EmptyReason.NOTHING, "The model had nothing to say.")
        if request.selected is not None:
            start, end = request.selected.start, request.selected.end
            completed = request.selected.text + "()"
            return self._answer(Candidate(completed, start, end), Candidate("other", start, end))
        line = request.document.line_at(request.cursor.line)
        typed = line[: request.cursor.column].rpartition(" ")[2]
        start = Position(request.cursor.line, request.cursor.column - len(typed))
        return self._answer(Candidate(typed + "😀 done\n    more()", start, request.cursor))

    def shown(self, answer_id: str, index: int) -> None:
        self.events.append(["shown", answer_id, index])

    def accepted(self, answer_id: str, index: int, characters: int | None = None) -> None:
        self.events.append(["accepted", answer_id, index, characters])

    def status(self) -> dict[str, Any]:
        return {"answers": self._answers}

    def _answer(self, *candidates: Candidate) -> CompletionAnswer:
        return CompletionAnswer(f"answer-{self._answers}", candidates, Timing(1.0, 2.0))

    def _empty(self, reason: EmptyReason, detail: str) -> CompletionAnswer:
        return CompletionAnswer("none", (), Timing(None, 1.0), reason, detail)


async def _events(session: Session, _: list[Any]) -> Any:
    application = await session.application()
    assert isinstance(application, ScriptedApplication)
    return application.events


async def _hang(session: Session, _: list[Any]) -> None:
    application = await session.application()
    assert isinstance(application, ScriptedApplication)
    application.events.append(["hanging"])
    try:
        await asyncio.Event().wait()
    finally:
        application.events.append(["cancelled command"])


async def _stubborn(session: Session, _: list[Any]) -> str:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return "a result nobody waits for"


async def _crash(_: Session, __: list[Any]) -> None:
    raise RuntimeError(f"{SECRET} in /home/somebody/private/code.py")


async def _refuse(_: Session, __: list[Any]) -> None:
    raise RequestFailed("The model is missing; run `ringfence models pull`.")


async def _ask(session: Session, _: list[Any]) -> Any:
    params = types.ShowMessageRequestParams(
        type=types.MessageType.Info, message="Sure?", actions=[types.MessageActionItem("Yes")]
    )
    answer = await session.server.window_show_message_request_async(params)
    return answer.title if answer else None


async def _progress(session: Session, arguments: list[Any]) -> Any:
    async with work_done_progress(session, "Working") as progress:
        progress.report("half", 50)
        if arguments:
            await asyncio.Event().wait()
    return len(session.protocol.held_progress)


async def _block_threads(_: Session, __: list[Any]) -> None:
    """Fill the pool of worker threads, as slow work in many requests does."""
    await asyncio.gather(*(asyncio.to_thread(threading.Event().wait, 0.05) for _ in range(64)))


async def _print(_: Session, __: list[Any]) -> None:
    print("Content-Length: 99999\r\n\r\n", flush=True)
    sys.stdout.flush()


async def _show(session: Session, arguments: list[Any]) -> None:
    for kind in arguments:
        session.show_once(kind, f"About {kind}.")


TEST_COMMANDS = {
    **COMMANDS,
    "test.events": _events,
    "test.hang": _hang,
    "test.stubborn": _stubborn,
    "test.crash": _crash,
    "test.refuse": _refuse,
    "test.ask": _ask,
    "test.progress": _progress,
    "test.blockThreads": _block_threads,
    "test.print": _print,
    "test.show": _show,
}


def main() -> int:
    """Serve over the transport that is named first."""
    level = logging.DEBUG
    match sys.argv[1:]:
        case ["tcp"]:
            return serve_tcp(ScriptedApplication, commands=TEST_COMMANDS, log_level=level)
        case ["websocket"]:
            return serve_websocket(ScriptedApplication, commands=TEST_COMMANDS, log_level=level)
        case ["broken"]:
            return serve_stdio(_broken, commands=TEST_COMMANDS, log_level=level)
        case _:
            return serve_stdio(ScriptedApplication, commands=TEST_COMMANDS, log_level=level)


def _broken(_: Editor) -> ScriptedApplication:
    raise RuntimeError(f"{SECRET} in /home/somebody/private/code.py")


if __name__ == "__main__":
    sys.exit(main())
