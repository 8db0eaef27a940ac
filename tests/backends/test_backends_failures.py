"""From what servers say to failure classes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.backends._failures import failure_in_stream, failure_of_status
from ringfence.backends.errors import (
    BackendError,
    ContextOverflow,
    InvalidAnswer,
    ModelMissing,
    Overloaded,
    Refused,
    Unsupported,
)

SECRET = "def secret_function"


def failure(status: int, body: Any = None, **headers: str) -> BackendError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return failure_of_status("laptop", status, headers, data, "coder")


def openai(message: str, kind: str = "invalid_request_error", code: Any = None) -> Any:
    return {"error": {"message": message, "type": kind, "code": code}}


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, openai("x", "exceed_context_size_error"), ContextOverflow),
        (400, openai("x", code="context_length_exceeded"), ContextOverflow),
        (400, openai("prompt is too long: 7 tokens > 5 maximum"), ContextOverflow),
        (400, {"error": "the input length exceeds the context length"}, ContextOverflow),
        (413, b"", ContextOverflow),
        (429, openai("slow down", "rate_limit_error"), Overloaded),
        (503, openai("Loading model", "unavailable_error", 503), Overloaded),
        (529, {"type": "error", "error": {"type": "overloaded_error"}}, Overloaded),
        (401, openai("no", code="invalid_api_key"), Refused),
        (403, b"<html>", Refused),
        (404, {"error": "model 'coder' not found"}, ModelMissing),
        (404, b"404 page not found", ModelMissing),
        (400, openai("Invalid model: coder", "invalid_model"), ModelMissing),
        (501, openai("no infill", "not_supported_error"), Unsupported),
        (400, {"error": "coder does not support insert"}, Unsupported),
        (400, openai("suffix is not currently supported"), Unsupported),
        (400, openai("bad", code="unsupported_parameter"), Refused),
        (422, b"{}", Refused),
        (500, b"", InvalidAnswer),
        (502, b"<html>", InvalidAnswer),
        (302, b"", InvalidAnswer),
        (304, b"", InvalidAnswer),
    ],
)
def test_each_answer_has_its_class(status: int, body: Any, expected: type[BackendError]) -> None:
    assert type(failure(status, body)) is expected


@pytest.mark.parametrize(
    ("message", "prompt", "context"),
    [
        (
            (
                "This model's maximum context length is 4096 tokens. However, your messages "
                "resulted in 5000 tokens."
            ),
            5000,
            4096,
        ),
        (
            "maximum context length is 16384 tokens. However, you requested 20000 tokens",
            20000,
            16384,
        ),
        ("prompt is too long: 210000 tokens > 200000 maximum", 210_000, 200_000),
        (
            (
                "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 "
                "maximum context length"
            ),
            40_000,
            32_768,
        ),
        (
            (
                "Trying to keep the first 9000 tokens when context the overflows. However, the "
                "model is loaded with context length of only 4096 tokens"
            ),
            9000,
            4096,
        ),
    ],
)
def test_an_overflow_tells_the_servers_numbers(message: str, prompt: int, context: int) -> None:
    overflow = failure(400, openai(message))

    assert isinstance(overflow, ContextOverflow)
    assert (overflow.prompt_tokens, overflow.context) == (prompt, context)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("1.5", 1.5),
        ("soon", None),
        ("-1", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_a_wish_to_wait_is_read(header: str, seconds: float | None) -> None:
    overloaded = failure(503, b"", **{"retry-after": header})

    assert isinstance(overloaded, Overloaded)
    assert overloaded.retry_after == seconds


def test_a_refusal_names_the_servers_reason_by_its_code_only() -> None:
    refused = failure(400, openai(f"{SECRET} is wrong", "invalid_request_error", "bad_value"))

    assert "HTTP 400, bad_value" in str(refused)


@given(
    st.integers(300, 599),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.just(SECRET),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["error", "message", "type", "code", "n_ctx", "detail"]), inner
            )
        ),
    ),
)
def test_any_answer_has_a_class_and_none_repeats_the_servers_words(status: int, body: Any) -> None:
    for error in (failure(status, body), failure_in_stream("laptop", body, "coder")):
        assert "'laptop'" in str(error)
        assert SECRET not in str(error)
        assert str(error).endswith(".")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, Overloaded),
        ({"code": 503, "message": "x"}, Overloaded),
        ({"type": "exceed_context_size_error", "n_ctx": 5}, ContextOverflow),
        ("context length exceeded", ContextOverflow),
        ("the model crashed", InvalidAnswer),
        (None, InvalidAnswer),
    ],
)
def test_errors_in_mid_stream_have_a_class_too(error: Any, expected: type[BackendError]) -> None:
    assert type(failure_in_stream("laptop", error, "coder")) is expected
