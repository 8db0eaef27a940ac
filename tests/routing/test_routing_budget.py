"""Keeping prompts within their bounds: what is cut, and what is read in parts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.privacy import Fragment, Source, SourceKind, Zone
from ringfence.routing.budget import STEP_LINES, Limits, fit_fill_in_the_middle, limits_for
from ringfence.routing.splitting import Part, answer_in_parts, split_lines
from tests.routing.fakes import model

LABEL = Source(SourceKind.DOCUMENT, allow=Zone.NETWORK, folder="/w", file="a.py")


def piece(text: str) -> Fragment:
    return Fragment(text, LABEL)


def test_what_fits_is_kept_whole() -> None:
    prompt = fit_fill_in_the_middle(
        piece("a\nb\nc"), piece("d\ne\n"), [piece("related")], Limits(100, 100, 100), len
    )

    assert (prompt.prefix.text, prompt.suffix.text) == ("a\nb\nc", "d\ne\n")
    assert [each.text for each in prompt.related] == ["related"]


def test_the_lines_furthest_from_the_cursor_go_first() -> None:
    prompt = fit_fill_in_the_middle(
        piece("first\nsecond\nthird"), piece("rest\nfourth\nfifth\n"), [], Limits(12, 6, 100), len
    )

    assert prompt.prefix.text == "second\nthird"
    assert prompt.suffix.text == "rest\n"


def test_related_files_go_before_the_document_and_the_last_of_them_first() -> None:
    prompt = fit_fill_in_the_middle(
        piece("before"), piece("after"), [piece("r" * 5), piece("s" * 5)], Limits(50, 50, 17), len
    )

    assert prompt.prefix.text == "before"
    assert prompt.suffix.text == "after"
    assert [each.text for each in prompt.related] == ["rrrrr"]


def test_only_a_line_that_is_too_long_alone_is_cut_within() -> None:
    prompt = fit_fill_in_the_middle(
        piece("above\n" + "x" * 30 + "end"), piece(""), [], Limits(10, 10, 10), len
    )

    assert prompt.prefix.text == "xxxxxxxend"


def test_a_cursor_at_the_start_of_a_line_keeps_what_is_above() -> None:
    prompt = fit_fill_in_the_middle(piece("a\nb\n"), piece(""), [], Limits(10, 10, 10), len)

    assert prompt.prefix.text == "a\nb\n"


def test_the_start_of_a_long_prefix_moves_in_steps() -> None:
    lines = [f"line {number:05}\n" for number in range(2000)]
    starts = []
    for typed in range(STEP_LINES):
        prompt = fit_fill_in_the_middle(
            piece("".join(lines[: 1000 + typed])), piece(""), [], Limits(600, 0, 5000), len
        )
        starts.append(prompt.prefix.text.split("\n", 1)[0])

    assert len(set(starts)) <= 2


def test_pieces_keep_their_labels() -> None:
    prompt = fit_fill_in_the_middle(
        piece("a\nb\nc"), piece("d\ne\n"), [piece("r")], Limits(2, 2, 10), len
    )

    assert {each.source for each in prompt.fragments()} == {LABEL}


texts = st.text(alphabet="ab \n\r\t\u2028é", max_size=300)


@given(texts, texts, st.lists(texts, max_size=4), st.tuples(*[st.integers(0, 200)] * 3))
def test_a_prompt_never_exceeds_its_limits(
    before: str, after: str, related: list[str], numbers: tuple[int, int, int]
) -> None:
    limits = Limits(*numbers)

    prompt = fit_fill_in_the_middle(
        piece(before), piece(after), [piece(each) for each in related], limits, len
    )

    assert before.endswith(prompt.prefix.text)
    assert after.startswith(prompt.suffix.text)
    assert len(prompt.prefix.text) <= limits.prefix
    assert len(prompt.suffix.text) <= limits.suffix
    assert sum(len(each.text) for each in prompt.fragments()) <= limits.total


def test_a_completion_is_bounded_by_the_served_context_and_by_the_ceiling() -> None:
    cramped = limits_for(model(context=1024), 24_000, 96, 768, 96)
    wide = limits_for(model(context=200_000), 24_000, 96, 768, 96)
    far = limits_for(model(zone=Zone.CLOUD, context=200_000), 24_000, 96, 768, 96)

    assert cramped.total == 1024 - 96 - 32
    assert wide.total == 24_000 - 96 - 32
    assert far.total == 200_000 - 96 - 32
    assert limits_for(model(context=64), 24_000, 96, 768, 96).total == 0


@given(texts, st.integers(1, 50))
def test_parts_are_within_their_size_and_lose_nothing(text: str, most: int) -> None:
    parts = split_lines(text, most, len)

    assert "".join(parts) == text
    assert all(0 < len(part) <= most for part in parts)


async def test_a_long_text_is_read_in_parts_and_the_answers_are_combined() -> None:
    asked: list[Part] = []
    seen: list[tuple[int, int]] = []

    async def ask(part: Part) -> str:
        asked.append(part)
        return "all" if part.combining else f"s{part.number}"

    answer = await answer_in_parts(
        piece("one\ntwo\nsix\n"), 10, len, ask, lambda done, of: seen.append((done, of))
    )

    assert answer == "all"
    assert [part.text.text for part in asked] == ["one\ntwo\n", "six\n", "s1\n\ns2"]
    assert [(part.number, part.of, part.combining) for part in asked] == [
        (1, 2, False),
        (2, 2, False),
        (1, 1, True),
    ]
    assert seen == [(0, 3), (1, 3), (2, 3), (3, 3)]
    assert {part.text.source.allow for part in asked} == {Zone.NETWORK}
    assert asked[-1].text.source.kind is SourceKind.ANSWER


async def test_a_text_that_fits_is_asked_about_once() -> None:
    async def ask(part: Part) -> str:
        return f"{part.number}/{part.of} {part.combining}"

    assert await answer_in_parts(piece("short"), 100, len, ask) == "1/1 False"


async def test_answers_that_do_not_shrink_are_given_up() -> None:
    async def ask(part: Part) -> str:
        return part.text.text * 2

    with pytest.raises(ValueError, match="too long to be combined"):
        await answer_in_parts(piece("one\ntwo\nsix\n"), 8, len, ask)


async def test_nothing_to_read_is_an_empty_answer() -> None:
    async def ask(part: Part) -> str:
        raise AssertionError("nothing should be asked")

    assert await answer_in_parts(piece(""), 8, len, ask) == ""
