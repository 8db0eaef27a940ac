"""From what a model gave, or why it gave nothing, to an answer with its times."""

from __future__ import annotations

import time

from ringfence.backends.values import Model
from ringfence.context.document import Position

from .cache import CachedCompletion
from .values import Candidate, CompletionAnswer, CompletionRequest, EmptyReason, Timing
from .window import Window


class AnswerBuilder:
    """Makes the answer to one request.

    Args:
        id_: names the answer in acceptance reports.
        request: what is answered.
        started: the ``time.perf_counter`` moment at which the request arrived.
    """

    def __init__(self, id_: str, request: CompletionRequest, started: float) -> None:
        self.started = started
        self._id = id_
        self._request = request

    def empty(
        self,
        reason: EmptyReason,
        detail: str,
        model: Model | None = None,
        *,
        backend: str | None = None,
    ) -> CompletionAnswer:
        """Answer with nothing, for ``reason``; ``detail`` says it in a sentence."""
        return CompletionAnswer(
            id=self._id,
            candidates=(),
            timing=self._timing(None),
            reason=reason,
            detail=detail,
            backend=model.backend if model else backend,
            model=model.id if model else None,
            zone=model.zone if model else None,
        )

    def cached(self, completion: CachedCompletion, window: Window) -> CompletionAnswer:
        """Answer with what is left of an earlier completion."""
        return self._full(completion, window, None, cached=True)

    def fresh(
        self, completion: CachedCompletion, window: Window, first_token: float | None
    ) -> CompletionAnswer:
        """Answer with a completion that a model has just given.

        Args:
            completion: the text and who gave it.
            window: where the cursor stands.
            first_token: seconds until the first text came.
        """
        return self._full(completion, window, first_token, cached=False)

    def _full(
        self,
        completion: CachedCompletion,
        window: Window,
        first_token: float | None,
        *,
        cached: bool,
    ) -> CompletionAnswer:
        return CompletionAnswer(
            id=self._id,
            candidates=(_candidate(self._request, window, completion.text),),
            timing=self._timing(first_token),
            backend=completion.backend,
            model=completion.model,
            zone=completion.zone,
            cached=cached,
        )

    def _timing(self, first_token: float | None) -> Timing:
        return Timing(
            first_token=None if first_token is None else first_token * 1000,
            total=(time.perf_counter() - self.started) * 1000,
        )


def _candidate(request: CompletionRequest, window: Window, text: str) -> Candidate:
    """Return a candidate that replaces the word being typed, or the selected entry.

    Editors show an item only when the text that it replaces is a prefix of it, so the
    word that stands before the cursor is a part of the candidate.
    """
    if request.selected is not None:
        return Candidate(request.selected.text + text, request.selected.start, request.selected.end)
    word = len(window.line_before)
    while word > 0 and (
        window.line_before[word - 1].isalnum() or window.line_before[word - 1] == "_"
    ):
        word -= 1
    start = Position(request.cursor.line, word)
    return Candidate(window.line_before[word:] + text, start, request.cursor)
