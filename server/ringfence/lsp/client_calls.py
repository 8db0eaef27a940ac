"""Requests that the server sends to the client, from the call to its answer."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from cattrs import Converter
from lsprotocol import types

from .errors import ErrorCode, RpcError
from .messages import MessageId, Response
from .structure import structure_result

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    future: Future[Any]


class ClientCalls:
    """The calls that the client has not answered yet.

    Args:
        converter: turns results into types.
        send: sends one message, given as plain JSON.
    """

    def __init__(self, converter: Converter, send: Callable[[Any], None]) -> None:
        self._converter = converter
        self._send = send
        self._pending: dict[MessageId, _Call] = {}

    def send(
        self,
        method: str,
        params: Any,
        callback: Callable[[Any], None] | None = None,
        message_id: MessageId | None = None,
    ) -> Future[Any]:
        """Ask the client; cancelling the future withdraws the question."""
        message_id = message_id or str(uuid.uuid4())
        future: Future[Any] = Future()
        self._pending[message_id] = _Call(method, future)
        future.add_done_callback(lambda done: self._finish(message_id, done, callback))
        content = {"jsonrpc": "2.0", "id": message_id, "method": method}
        if params is not None:
            content["params"] = self._converter.unstructure(params)
        self._send(content)
        return future

    def resolve(self, response: Response) -> bool:
        """Take the client's answer; False when nothing was asked under its id."""
        call = self._pending.pop(response.id, None) if response.id is not None else None
        if call is None:
            return False
        if response.error is not None:
            call.future.set_exception(_client_error(response.error))
            return True
        try:
            result = structure_result(self._converter, call.method, response.result)
        except Exception:
            text = f"The editor's answer to {call.method} could not be read."
            call.future.set_exception(RpcError(ErrorCode.REQUEST_FAILED, text))
        else:
            call.future.set_result(result)
        return True

    def abandon(self) -> None:
        """Cancel every call without telling the client, who is gone."""
        calls = list(self._pending.values())
        self._pending.clear()
        for call in calls:
            call.future.cancel()

    def _finish(
        self, message_id: MessageId, future: Future[Any], callback: Callable[[Any], None] | None
    ) -> None:
        asked = self._pending.pop(message_id, None) is not None
        if future.cancelled():
            if asked:
                cancel = {"method": types.CANCEL_REQUEST, "params": {"id": message_id}}
                self._send({"jsonrpc": "2.0", **cancel})
        elif callback is not None and future.exception() is None:
            callback(future.result())


def _client_error(error: dict[str, Any]) -> RpcError:
    code, message = error.get("code"), error.get("message")
    return RpcError(
        code if isinstance(code, int) else ErrorCode.REQUEST_FAILED,
        message if isinstance(message, str) else "The editor answered with an error.",
    )
