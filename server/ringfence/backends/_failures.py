"""From what a server or the connection reports to a failure class.

A server's own words are looked at and never repeated: they can hold the key or a piece of
the prompt.
"""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import httpx2

from ringfence.privacy import GateRefusal

from ._json import dict_of, int_of, text_of
from .errors import (
    BackendError,
    ContextOverflow,
    DeadlineExceeded,
    InvalidAnswer,
    ModelMissing,
    OutOfRing,
    Overloaded,
    Refused,
    Unreachable,
    Unsupported,
)

_OVERFLOW_CODES = frozenset({"exceed_context_size_error", "context_length_exceeded"})
_OVERFLOW_WORDS = re.compile(
    r"context (length|size|window)|maximum context|prompt is too long|context the overflows",
    re.IGNORECASE,
)
_MISSING_WORDS = re.compile(
    r"model.{0,200}(not found|does not exist|not exist)|invalid model", re.IGNORECASE | re.DOTALL
)
_UNSUPPORTED_WORDS = re.compile(
    r"(does not|do not|not currently|is not|isn't) support(ed)?\b", re.IGNORECASE
)
_BUSY_CODES = re.compile(r"overloaded|rate_limit|unavailable|too_many|insufficient_quota")

#: What may be repeated of an error: a word such as ``unsupported_parameter``.
_SAFE_CODE = re.compile(r"[a-z][a-z_]{2,48}")

#: How servers tell the prompt's tokens, and the context window's.
_PROMPT_TOKENS = (
    r"resulted in (\d+) tokens",
    r"requested (\d+) tokens",
    r"too long: (\d+) tokens",
    r"contains (\d+) tokens",
    r"first (\d+) tokens",
)
_CONTEXT_TOKENS = (
    r"maximum context length is (\d+)",
    r"> (\d+) maximum",
    r"with (\d+) maximum context",
    r"length of only (\d+)",
)


def failure_of_status(
    name: str, status: int, headers: Mapping[str, str], body: bytes, model: str | None
) -> BackendError:
    """Return the failure of an answer that is no success.

    Args:
        name: the backend's configured name.
        status: the HTTP status.
        headers: the answer's headers.
        body: the answer's body, or its start.
        model: the model that was asked, if any.
    """
    error = _error_object(body)
    if 300 <= status < 400:
        return InvalidAnswer(name, f"{name!r} redirects elsewhere; set its url to the new address.")
    if status == 401 or (status == 403 and not _is_overflow(error)):
        return Refused(name, f"{name!r} refuses the key (HTTP {status}); check its api_key.")
    known = _by_words(name, error, model, _retry_after(headers), status)
    if known is not None:
        return known
    if status in (404, 405) and model is None:
        return InvalidAnswer(
            name, f"{name!r} does not know what was asked; check its kind and its url."
        )
    if status == 404:
        return _missing(name, model)
    if status >= 500:
        return InvalidAnswer(name, f"{name!r} failed (HTTP {status}); its log may say why.")
    return Refused(name, f"{name!r} refused the request (HTTP {status}{_safe_code(error)}).")


def failure_in_stream(name: str, error: object, model: str | None) -> BackendError:
    """Return the failure that a server reports in mid-stream, under HTTP 200."""
    known = _by_words(name, _as_error(error), model, None, None)
    return known or InvalidAnswer(name, f"{name!r} failed while it was generating.")


def _by_words(
    name: str,
    error: Mapping[str, Any],
    model: str | None,
    retry_after: float | None,
    status: int | None,
) -> BackendError | None:
    """Return the failure that the status or the server's words make plain."""
    words = text_of(error.get("message"))
    codes = f"{text_of(error.get('type'))} {text_of(error.get('code'))}".lower()
    if _is_overflow(error) or status == 413:
        return _overflow(name, error, words)
    if status in (429, 503, 529) or _BUSY_CODES.search(codes) or error.get("code") in (429, 503):
        return Overloaded(
            name, f"{name!r} is busy, or still loading its model; try again soon.", retry_after
        )
    # Some servers answer 400 for a model they do not have.
    if "model_not_found" in codes or "invalid_model" in codes or _MISSING_WORDS.search(words):
        return _missing(name, model)
    if status == 501 or _UNSUPPORTED_WORDS.search(words):
        return Unsupported(name, f"{name!r} cannot do this with {model!r}.")
    return None


def _is_overflow(error: Mapping[str, Any]) -> bool:
    codes = {text_of(error.get("type")), text_of(error.get("code"))}
    return bool(codes & _OVERFLOW_CODES or _OVERFLOW_WORDS.search(text_of(error.get("message"))))


def _missing(name: str, model: str | None) -> ModelMissing:
    what = f"the model {model!r}" if model else "the model"
    return ModelMissing(name, f"{name!r} does not have {what}; install it there or name another.")


def _overflow(name: str, error: Mapping[str, Any], words: str) -> ContextOverflow:
    return ContextOverflow(
        name,
        f"The prompt does not fit the context window of {name!r}.",
        int_of(error.get("n_prompt_tokens")) or _number(_PROMPT_TOKENS, words),
        int_of(error.get("n_ctx")) or _number(_CONTEXT_TOKENS, words),
    )


def _number(patterns: tuple[str, ...], words: str) -> int | None:
    for pattern in patterns:
        match = re.search(pattern, words, re.IGNORECASE)
        if match:
            return int(match[1][:18])
    return None


def _safe_code(error: Mapping[str, Any]) -> str:
    for word in (error.get("code"), error.get("type")):
        if isinstance(word, str) and _SAFE_CODE.fullmatch(word):
            return f", {word}"
    return ""


def _error_object(body: bytes) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if isinstance(content, dict) and "error" in content:
        return _as_error(content["error"])
    return _as_error(content)


def _as_error(error: object) -> Mapping[str, Any]:
    return {"message": error} if isinstance(error, str) else dict_of(error)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait; it may say them or a date."""
    value = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,9}(\.\d+)?", value):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, moment.timestamp() - time.time())


class Translated:
    """A context that turns what the connection and the deadline raise into failure classes.

    Args:
        name: the backend's configured name.
        begun: whether the answer had begun: what breaks then was cut short.
    """

    def __init__(self, name: str, *, begun: bool = False) -> None:
        self._name = name
        self._begun = begun

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        name = self._name
        match error:
            case GateRefusal():
                raise OutOfRing(name, f"Not sent: {error}.") from error
            case TimeoutError():
                raise DeadlineExceeded(name, f"{name!r} did not answer in time.") from error
            case httpx2.PoolTimeout():
                raise Overloaded(
                    name, f"Too many requests to {name!r} are under way already."
                ) from error
            case httpx2.ConnectError() | httpx2.ConnectTimeout():
                raise Unreachable(
                    name, f"Nothing answers at the address of {name!r}; is the server running?"
                ) from error
            case httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
                raise Unreachable(
                    name, f"The url of {name!r} is no http or https address; mend it."
                ) from error
            case httpx2.RequestError() | httpx2.StreamError() if self._begun:
                raise InvalidAnswer(name, f"{name!r} broke off its answer.") from error
            case httpx2.RequestError() | httpx2.StreamError():
                raise Unreachable(
                    name, f"{name!r} closed the connection without an answer; is it well?"
                ) from error
            case _:
                return
