"""Where a completion would only disturb."""

from __future__ import annotations

import pytest

from ringfence.completion.suppression import why_suppressed
from ringfence.completion.values import Trigger
from tests.completion.places import window_at


@pytest.mark.parametrize("place", ["x = |", "print(|)", "f({'a': |})", "def f():\n    |\n"])
def test_the_end_of_code_is_offered_something(place: str) -> None:
    assert why_suppressed(window_at(place), Trigger.AUTOMATIC) is None


@pytest.mark.parametrize("place", ["x| = 1", "pri|nt(x)", "|"])
def test_the_middle_of_code_is_left_alone(place: str) -> None:
    assert why_suppressed(window_at(place), Trigger.AUTOMATIC)


@pytest.mark.parametrize("place", ["x| = 1", "|"])
def test_an_invoked_completion_is_never_suppressed(place: str) -> None:
    assert why_suppressed(window_at(place), Trigger.INVOKED) is None
