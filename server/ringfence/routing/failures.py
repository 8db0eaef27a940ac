"""What follows a failure: the same model once more, the next one, or none."""

from __future__ import annotations

import enum

from ringfence.backends.errors import BackendError, DeadlineExceeded, Overloaded, Unreachable

#: Seconds before a server that could not be reached is tried once more.
RETRY_SECONDS = 0.3

#: The longest wait that a busy server may ask for before the next model is taken instead.
LONGEST_RETRY_AFTER = 5.0


class Step(enum.Enum):
    """What follows a failure before the first piece of an answer."""

    RETRY = "retry"
    NEXT = "next"
    GIVE_UP = "give up"


def step_after(error: BackendError, attempts: int, *, retries: bool) -> Step:
    """Return what follows ``error``.

    Args:
        error: what went wrong.
        attempts: how often this model has been asked for this task.
        retries: whether the same server may be asked again at all; inline completions
            never are, the next key asks anyway.
    """
    if isinstance(error, DeadlineExceeded):
        return Step.GIVE_UP
    passing = isinstance(error, Unreachable) or (
        isinstance(error, Overloaded) and (error.retry_after or 0.0) <= LONGEST_RETRY_AFTER
    )
    if retries and passing and attempts == 1:
        return Step.RETRY
    return Step.NEXT


def pause_before_retry(error: BackendError) -> float:
    """Return the seconds to wait before the same server is asked again."""
    asked = error.retry_after if isinstance(error, Overloaded) else None
    return RETRY_SECONDS if asked is None else asked
