"""What can go wrong at a backend: failure classes, which decide what is tried next."""

from __future__ import annotations


class BackendError(Exception):
    """A request to a backend failed.

    The message is one sentence that names the backend and says what to do. It holds
    no prompt text and no key.

    Attributes:
        backend: the configured name of the backend.
        code: a short, stable name of the failure class.
    """

    code = "failed"

    def __init__(self, backend: str, message: str) -> None:
        super().__init__(message)
        self.backend = backend


class Unreachable(BackendError):
    """Nothing answers at the address, or it stopped answering."""

    code = "unreachable"


class Overloaded(BackendError):
    """The server is busy, loading, or limits the rate (429, 503).

    Attributes:
        retry_after: seconds the server asks to wait, if it says.
    """

    code = "overloaded"

    def __init__(self, backend: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(backend, message)
        self.retry_after = retry_after


class Refused(BackendError):
    """The server refuses: a wrong key, no permission, a bad request."""

    code = "refused"


class ModelMissing(BackendError):
    """The server does not have the model."""

    code = "model-missing"


class ContextOverflow(BackendError):
    """The prompt does not fit the served context window.

    Attributes:
        prompt_tokens: tokens in the prompt, if the server says.
        context: tokens of the served context window, if the server says.
    """

    code = "overflow"

    def __init__(
        self,
        backend: str,
        message: str,
        prompt_tokens: int | None = None,
        context: int | None = None,
    ) -> None:
        super().__init__(backend, message)
        self.prompt_tokens = prompt_tokens
        self.context = context


class Unsupported(BackendError):
    """The server or the model cannot do this kind of task."""

    code = "unsupported"


class InvalidAnswer(BackendError):
    """The answer is not what the server's protocol promises, or was cut short."""

    code = "invalid-answer"


class DeadlineExceeded(BackendError):
    """The generation took longer than its deadline."""

    code = "deadline"


class OutOfRing(BackendError):
    """The gate refused the request: the text may not travel that far."""

    code = "blocked"
