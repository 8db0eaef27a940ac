"""LSP's life cycle and dispatch: every message gets the answer that the standard asks for.

pygls provides the features, their options and the typed calls to the client; reading,
structuring, running, cancelling and answering are done here.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextvars import ContextVar
from enum import Enum
from typing import Any

from cattrs import Converter
from lsprotocol import types
from pygls.exceptions import JsonRpcException
from pygls.protocol import LanguageServerProtocol, lsp_method

from .client_calls import ClientCalls
from .documents import EditorWorkspace
from .errors import ErrorCode, InvalidParams, RpcError
from .invocation import invoke
from .messages import Invalid, MessageId, Notification, Request, Response, parse_message
from .structure import structure_params

logger = logging.getLogger(__name__)

#: The params of the message that is being handled, as plain JSON: lsprotocol drops
#: fields it does not know, and clients send some that matter.
RAW_PARAMS: ContextVar[Any] = ContextVar("raw_params", default=None)


class LifeCycle(Enum):
    """How far the conversation has come."""

    NEW = "new"
    RUNNING = "running"
    SHUT_DOWN = "shut down"


class EditorProtocol(LanguageServerProtocol):
    """One conversation with one client.

    Attributes:
        life_cycle: how far it has come.
        ended: set when the client sends ``exit``.
        on_initialize: called before the capabilities are computed, so that features
            can be registered by what the client can do.
        held_progress: the tasks that report progress, by token.
        run_command: called for ``workspace/executeCommand`` with name and arguments.
    """

    def __init__(self, server: Any, converter: Any) -> None:
        super().__init__(server, converter)
        self.life_cycle = LifeCycle.NEW
        self.ended = asyncio.Event()
        self.on_initialize: Callable[[types.InitializeParams], None] = lambda _: None
        self.run_command: Callable[[str, list[Any]], Any] | None = None
        self._send_body: Callable[[bytes], None] = lambda _: None
        self._running: dict[MessageId, asyncio.Task[None]] = {}
        self._cancelled: set[MessageId] = set()
        self._background: set[asyncio.Task[None]] = set()
        self.held_progress: dict[int | str, asyncio.Task[Any]] = {}
        self._calls = ClientCalls(converter, self._send_data)

    @property
    def converter(self) -> Converter:
        """Turns JSON into the types of lsprotocol and back."""
        return self._converter

    def connect(self, send_body: Callable[[bytes], None]) -> None:
        """Send messages, from now on, by ``send_body``, which takes the body of one."""
        self._send_body = send_body

    async def disconnect(self) -> None:
        """End what still runs. Nothing is sent to the client after this."""
        tasks = [*self._running.values(), *self._background]
        self._calls.abandon()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._send_body = lambda _: None

    # What comes in

    def receive(self, body: bytes) -> None:
        """Take one message.

        Requests and notifications start, in their order, at the next turn of the event
        loop. Yield to it before the next message: whether that is in order may depend on
        this one, and a request that has not started cannot be cancelled properly.
        """
        message = parse_message(body)
        match message:
            case Request():
                self._on_request(message)
            case Notification():
                self._on_notification(message)
            case Response():
                self._on_response(message)
            case Invalid():
                self.answer_error(message.id, message.code, message.reason)

    def _on_request(self, request: Request) -> None:
        try:
            handler, params = self._admit(request)
        except RpcError as error:
            self.answer_error(request.id, error.code, error.message, error.data)
            return
        task = asyncio.get_running_loop().create_task(self._run(request, handler, params))
        self._running[request.id] = task

    def _admit(self, request: Request) -> tuple[Callable[..., Any], Any]:
        if request.id in self._running:
            raise RpcError(ErrorCode.INVALID_REQUEST, "A request with this id is still running.")
        if self.life_cycle is LifeCycle.SHUT_DOWN:
            raise RpcError(ErrorCode.INVALID_REQUEST, "The server was shut down.")
        initialize = request.method == types.INITIALIZE
        if self.life_cycle is LifeCycle.NEW and not initialize:
            raise RpcError(ErrorCode.SERVER_NOT_INITIALIZED, "The server is not initialized.")
        if self.life_cycle is LifeCycle.RUNNING and initialize:
            raise RpcError(ErrorCode.INVALID_REQUEST, "The server is initialized already.")
        handler = self._handler(request.method)
        if handler is None:
            raise RpcError(ErrorCode.METHOD_NOT_FOUND, "The method is not known.")
        return handler, structure_params(self._converter, request.method, request.params)

    async def _run(self, request: Request, handler: Callable[..., Any], params: Any) -> None:
        RAW_PARAMS.set(request.params)
        try:
            result = self._converter.unstructure(await invoke(handler, (params,)))
            if request.id in self._cancelled:
                raise asyncio.CancelledError
            self._send_data({"jsonrpc": "2.0", "id": request.id, "result": result})
        except asyncio.CancelledError:
            self.answer_error(request.id, ErrorCode.REQUEST_CANCELLED, "The request was cancelled.")
        except RpcError as error:
            self.answer_error(request.id, error.code, error.message, error.data)
        except JsonRpcException as error:
            self.answer_error(request.id, error.code, type(error).MESSAGE)
        except Exception:
            reference = log_failure(request.method)
            message = f"Internal error (reference {reference})."
            self.answer_error(request.id, ErrorCode.INTERNAL_ERROR, message)
        finally:
            self._running.pop(request.id, None)
            self._cancelled.discard(request.id)

    def _on_notification(self, notification: Notification) -> None:
        method = notification.method
        if method == types.CANCEL_REQUEST:
            self._cancel(notification.params)
            return
        if self.life_cycle is not LifeCycle.RUNNING and method != types.EXIT:
            logger.debug("Ignored a notification while the server is %s.", self.life_cycle.value)
            return
        handler = self._handler(method)
        if handler is None:
            return
        try:
            params = structure_params(self._converter, method, notification.params)
        except InvalidParams as error:
            logger.warning("Ignored a %s notification: %s", method, error.message)
            return
        coroutine = self._run_notification(notification, handler, params)
        task = asyncio.get_running_loop().create_task(coroutine)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _run_notification(
        self, notification: Notification, handler: Callable[..., Any], params: Any
    ) -> None:
        RAW_PARAMS.set(notification.params)
        try:
            await invoke(handler, (params,))
        except RpcError as error:
            logger.warning("A %s notification failed: %s", notification.method, error.message)
        except Exception:
            log_failure(notification.method)

    def _cancel(self, params: Any) -> None:
        message_id = params.get("id") if isinstance(params, dict) else None
        task = self._running.get(message_id) if isinstance(message_id, int | str) else None
        if message_id is not None and task is not None:
            self._cancelled.add(message_id)
            task.cancel()

    def _on_response(self, response: Response) -> None:
        known = response.id is not None and self._calls.resolve(response)
        if not known and not response.complete:
            reason = "The message is no request."
            self.answer_error(response.id, ErrorCode.INVALID_REQUEST, reason)

    def _handler(self, method: str) -> Callable[..., Any] | None:
        return self.fm.builtin_features.get(method) or self.fm.features.get(method)

    # What goes out

    def answer_error(
        self, message_id: MessageId | None, code: int, message: str, data: Any = None
    ) -> None:
        """Answer with an error; the id is None for what could not be read."""
        error: dict[str, Any] = {"code": int(code), "message": message}
        if data is not None:
            error["data"] = data
        self._send_data({"jsonrpc": "2.0", "id": message_id, "error": error})

    def _send_data(self, data: Any) -> None:
        plain = data if isinstance(data, dict) else self._converter.unstructure(data)
        self._send_body(json.dumps(plain, separators=(",", ":"), allow_nan=False).encode())

    def send_request(
        self,
        method: str,
        params: Any | None = None,
        callback: Callable[[Any], None] | None = None,
        msg_id: MessageId | None = None,
    ) -> Future[Any]:
        """Ask the client. Cancelling the future tells the client so."""
        return self._calls.send(method, params, callback, msg_id)

    # Built-in features that differ from those of pygls, which are generators

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(
        self, params: types.InitializeParams
    ) -> Generator[Any, Any, types.InitializeResult]:
        """Open the conversation, with documents that are fast and split lines as LSP does."""
        self.on_initialize(params)
        result = yield from super().lsp_initialize(params)
        self._workspace = EditorWorkspace.like(self.workspace)
        self.life_cycle = LifeCycle.RUNNING
        return result

    @lsp_method(types.SHUTDOWN)
    def lsp_shutdown(self, *_: Any) -> None:  # type: ignore[override]
        """Stop all work; only ``exit`` is listened to from now on."""
        self.life_cycle = LifeCycle.SHUT_DOWN
        current = asyncio.current_task()
        for task in [*self._running.values(), *self._background]:
            if task is not current:
                task.cancel()

    @lsp_method(types.EXIT)
    def lsp_exit(self, *_: Any) -> None:  # type: ignore[override]
        """End the conversation."""
        self.ended.set()

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # type: ignore[override]
        self, params: types.ExecuteCommandParams
    ) -> Any:
        """Run a command inside the request's own task, so that cancelling reaches it."""
        if self.run_command is None:
            raise InvalidParams("The command is not known.")
        return await self.run_command(params.command, list(params.arguments or ()))

    @lsp_method(types.WINDOW_WORK_DONE_PROGRESS_CANCEL)
    def lsp_work_done_progress_cancel(self, params: types.WorkDoneProgressCancelParams) -> None:
        """Cancel the task that reports this progress."""
        if task := self.held_progress.get(params.token):
            task.cancel()

    def hold_progress(self, token: int | str, task: asyncio.Task[Any]) -> None:
        """Cancel ``task`` when the user cancels the progress ``token``."""
        self.held_progress[token] = task

    def free_progress(self, token: int | str) -> None:
        """Forget a progress token."""
        self.held_progress.pop(token, None)


def log_failure(what: str) -> str:
    """Log the current exception with its traceback; return the reference to tell the user."""
    import secrets

    reference = secrets.token_hex(4)
    logger.exception("%s failed (reference %s).", what, reference)
    return reference
