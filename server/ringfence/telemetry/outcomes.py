"""What happened to the last requests: numbers and names, never text of the user's code."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ringfence.privacy import Zone

#: Outcomes that are kept; older ones have been counted and are forgotten.
KEPT_OUTCOMES = 2048


class Stage(enum.StrEnum):
    """Which half of the work an outcome tells about.

    A request that needs two models makes two calls and one answer, and one that is
    answered from the cache makes an answer alone.
    """

    CALL = "call"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one call of a model, or one answer to the user, ended.

    Attributes:
        time: seconds since the epoch.
        stage: a call of a model, or an answer to the user.
        purpose: what it was for, in a few words ("inline completion").
        result: a short, stable word: ``ok``, or the reason why there was nothing.
        detail: the reason in a sentence without any text of the user's code.
        file: the file's name relative to its workspace folder; None for none.
        backend: the configured name of the backend; None when none was asked.
        model: the model's name at that backend.
        zone: where it was computed.
        attempt: 1 for the first model of a chain, 2 for its first fallback, and so on.
        first_token_ms: milliseconds until the first token; None where none came.
        total_ms: milliseconds until the end.
        prompt_tokens: tokens of the prompt as the server counts them.
        cached_tokens: how many of them the server did not read again.
        output_tokens: tokens generated.
        cached: whether it was answered without asking a model.
    """

    time: float
    stage: Stage
    purpose: str
    result: str
    total_ms: float
    detail: str = ""
    file: str | None = None
    backend: str | None = None
    model: str | None = None
    zone: Zone | None = None
    attempt: int = 1
    first_token_ms: float | None = None
    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None
    cached: bool = False

    @property
    def ok(self) -> bool:
        """Whether it ended with a result."""
        return self.result == OK


#: The result of everything that went well.
OK = "ok"

Listener = Callable[[Outcome], None]


class Outcomes:
    """The last outcomes, in memory.

    Recording costs an append and the listeners' own appends; nothing is written to
    disk on the way of a request.

    Args:
        kept: how many outcomes to keep.
    """

    def __init__(self, kept: int = KEPT_OUTCOMES) -> None:
        self._recent: deque[Outcome] = deque(maxlen=kept)
        self._listeners: list[Listener] = []

    def record(self, outcome: Outcome) -> None:
        """Keep an outcome and tell the listeners."""
        self._recent.append(outcome)
        for listener in self._listeners:
            listener(outcome)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with each later outcome; returns what ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def recent(self, count: int | None = None) -> tuple[Outcome, ...]:
        """Return the last ``count`` outcomes, or all that are kept, oldest first."""
        kept = tuple(self._recent)
        return kept if count is None else kept[len(kept) - min(count, len(kept)) :]
