"""How much of a stream makes one completion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.completion.shape import Shape, choose_shape, cut
from tests.completion.places import window_at


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("x = fo|", Shape.LINE),
        ("print(|)", Shape.LINE),
        ("def f():\n    |", Shape.BLOCK),
        ("def f():|", Shape.BLOCK),
        ("const f = () => {|", Shape.BLOCK),
        ("|", Shape.BLOCK),
        ("    return |\n", Shape.LINE),
    ],
)
def test_the_shape_follows_where_the_cursor_stands(text: str, shape: Shape) -> None:
    assert choose_shape(window_at(text), "auto") is shape


def test_a_setting_overrides_the_shape() -> None:
    window = window_at("def f():\n    |")

    assert choose_shape(window, "never") is Shape.LINE
    assert choose_shape(window_at("x = |"), "always") is Shape.BLOCK


def test_a_line_is_whole_at_its_line_ending() -> None:
    window = window_at("x = |")

    assert not cut("foo(1", window, Shape.LINE, ended=False).whole
    done = cut("foo(1)\ny = 2", window, Shape.LINE, ended=False)
    assert done.whole
    assert done.text == "foo(1)"


def test_a_block_is_whole_when_a_line_leaves_its_indentation() -> None:
    window = window_at("def f(x):\n    |\n")
    stream = "if x:\n        return 1\n    return 2\n\ndef g():\n    pass\n"

    done = cut(stream, window, Shape.BLOCK, ended=False)

    assert done.whole
    assert done.text == "if x:\n        return 1\n    return 2"


def test_a_block_takes_the_closing_bracket_it_opened() -> None:
    window = window_at("function f() {\n  |\n")

    done = cut("g({\n    a: 1,\n  });\n}\nf();\n", window, Shape.BLOCK, ended=False)

    assert done.whole
    assert done.text == "g({\n    a: 1,\n  });"


def test_a_block_stops_before_the_line_that_follows_the_cursor() -> None:
    window = window_at("def f(x):\n    |\n    return total\n")

    done = cut("total = sum(x)\n    return total\n", window, Shape.BLOCK, ended=False)

    assert done.whole
    assert done.text == "total = sum(x)"


def test_a_block_stops_after_two_blank_lines() -> None:
    window = window_at("|")

    done = cut("import os\n\n\nimport sys\n", window, Shape.BLOCK, ended=False)

    assert done.whole
    assert done.text == "import os"


@given(st.text(alphabet="ab(){}: \n\t", max_size=200), st.sampled_from(list(Shape)))
def test_a_cut_is_always_the_start_of_the_stream(stream: str, shape: Shape) -> None:
    window = window_at("def f(x):\n    |\n    return total\n")

    result = cut(stream, window, shape, ended=False)

    assert stream.startswith(result.text)


@given(st.text(alphabet="ab(){}: \n", max_size=120), st.integers(0, 120))
def test_a_whole_cut_does_not_change_when_more_is_streamed(stream: str, at: int) -> None:
    window = window_at("def f(x):\n    |\n    return total\n")
    early = cut(stream[:at], window, Shape.BLOCK, ended=False)

    late = cut(stream, window, Shape.BLOCK, ended=False)

    if early.whole:
        assert late == early
