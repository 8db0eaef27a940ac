"""JSON-RPC errors that are answered on purpose, and their codes."""

from __future__ import annotations

from enum import IntEnum
from typing import Any


class ErrorCode(IntEnum):
    """The codes of JSON-RPC and LSP that this server answers with."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL_ERROR = -32603
    SERVER_NOT_INITIALIZED = -32002
    REQUEST_FAILED = -32803
    CONTENT_MODIFIED = -32801
    REQUEST_CANCELLED = -32800


class RpcError(Exception):
    """An error to answer a request with.

    The message goes to the editor as it is: one sentence, with no path and no text
    of a document.
    """

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


class InvalidParams(RpcError):
    """The request's parameters are not what the method takes."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.INVALID_PARAMS, message)


class RequestFailed(RpcError):
    """The request was right but cannot be done; the message says why and what to do."""

    def __init__(self, message: str, data: Any = None) -> None:
        super().__init__(ErrorCode.REQUEST_FAILED, message, data)
