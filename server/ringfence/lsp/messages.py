"""One JSON-RPC message: from bytes to a request, a notification or a response."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from .errors import ErrorCode

MessageId: TypeAlias = int | str


@dataclass(frozen=True, slots=True)
class Request:
    """A call that must be answered; ``params`` is plain JSON."""

    id: MessageId
    method: str
    params: Any


@dataclass(frozen=True, slots=True)
class Notification:
    """A call that is not answered; ``params`` is plain JSON."""

    method: str
    params: Any


@dataclass(frozen=True, slots=True)
class Response:
    """The client's answer to a call of ours.

    Attributes:
        id: whose answer it is; None when the client could not read the call.
        error: what went wrong; None when the call succeeded.
        complete: whether there is a result or an error at all. Some clients leave out
            a result that is null.
    """

    id: MessageId | None
    result: Any
    error: dict[str, Any] | None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Invalid:
    """What is no JSON-RPC message, with the error to answer.

    Attributes:
        id: the id to answer to; None where none can be told.
    """

    id: MessageId | None
    code: ErrorCode
    reason: str


Message: TypeAlias = Request | Notification | Response | Invalid


def parse_message(body: bytes) -> Message:
    """Read one message; never raises."""
    try:
        content = json.loads(body.decode(), parse_constant=_refuse_constant)
    except RecursionError:
        return Invalid(None, ErrorCode.PARSE_ERROR, "The message is nested too deeply.")
    except ValueError:
        return Invalid(None, ErrorCode.PARSE_ERROR, "The message is not valid JSON in UTF-8.")
    if not isinstance(content, dict):
        return Invalid(None, ErrorCode.INVALID_REQUEST, "A message is a JSON object.")
    return _classify(content)


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _classify(content: dict[str, Any]) -> Message:
    message_id = content.get("id")
    if not _is_id(message_id):
        message_id = None
    if content.get("jsonrpc") != "2.0":
        return Invalid(message_id, ErrorCode.INVALID_REQUEST, 'A message has "jsonrpc": "2.0".')
    if "method" in content:
        return _classify_call(content, message_id)
    error = content.get("error")
    if error is not None and not isinstance(error, dict):
        error = {}
    if message_id is not None:
        complete = "result" in content or "error" in content
        return Response(message_id, content.get("result"), error, complete)
    if error is not None:
        return Response(None, None, error)
    return Invalid(None, ErrorCode.INVALID_REQUEST, "The message is no request.")


def _classify_call(content: dict[str, Any], message_id: MessageId | None) -> Message:
    method, params = content["method"], content.get("params")
    if not isinstance(method, str):
        return Invalid(message_id, ErrorCode.INVALID_REQUEST, "The method is not a string.")
    if "id" in content and message_id is None:
        return Invalid(None, ErrorCode.INVALID_REQUEST, "The id is neither integer nor string.")
    if params is not None and not isinstance(params, dict | list):
        reason = "The params are neither object nor array."
        return Invalid(message_id, ErrorCode.INVALID_REQUEST, reason)
    if message_id is None:
        return Notification(method, params)
    return Request(message_id, method, params)


def _is_id(value: Any) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool)
