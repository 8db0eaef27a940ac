"""The chain from a model's text to what is worth showing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.completion import polish as chain
from ringfence.completion.polish import polish
from tests.completion.places import window_at


def test_a_fence_is_taken_off() -> None:
    text = chain.drop_fences("```python\nx = 1\n```\nThis sets x.", window_at("|"))

    assert text == "x = 1"


def test_prose_after_a_closing_fence_is_dropped() -> None:
    assert chain.drop_fences("x = 1\n```\nDone.", window_at("|")) == "x = 1"


def test_an_echo_of_the_typed_line_is_dropped() -> None:
    window = window_at("    total = |")

    assert chain.drop_echoed_line("    total = sum(xs)", window) == " sum(xs)"


def test_what_follows_on_the_line_is_not_repeated() -> None:
    assert polish("x, y)", window_at("print(|)")).text == "x, y"


def test_lines_that_follow_are_not_repeated() -> None:
    window = window_at("def f(xs):\n    |\n    return total\n")

    assert polish("total = 0\n    return total", window).text == "total = 0"


def test_a_bracket_that_the_line_closes_already_is_not_added() -> None:
    assert polish("a)  # done", window_at("f(|)")).text == "a"


def test_brackets_of_its_own_are_kept() -> None:
    assert polish("g(a), [b]", window_at("f(|)")).text == "g(a), [b]"


def test_a_bracket_in_a_string_closes_nothing() -> None:
    assert polish('")", a', window_at("f(|)")).text == '")", a'


def test_the_line_above_is_not_offered_again() -> None:
    polished = polish("print(x)", window_at("print(x)\n|"))

    assert polished.text == ""
    assert polished.refused_by == "a repetition"


def test_a_line_over_and_over_is_refused() -> None:
    polished = polish("foo(a)\n" * 5, window_at("|"))

    assert polished.refused_by == "a repetition"


@pytest.mark.parametrize("nothing", ["", " \n", "\n\n"])
def test_nothing_says_so(nothing: str) -> None:
    assert polish(nothing, window_at("x = |")).refused_by == "the model had nothing to add"


@given(st.text(max_size=80), st.sampled_from(["f(|)", "x = |\n", "def f():\n    |\n    pass\n"]))
def test_the_chain_only_shortens_and_either_shows_or_says_why(text: str, place: str) -> None:
    polished = polish(text, window_at(place))

    assert len(polished.text) <= len(text)
    assert bool(polished.text) == (polished.refused_by is None)
