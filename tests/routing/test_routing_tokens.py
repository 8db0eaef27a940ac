"""Counting tokens without a tokenizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.backends.values import Usage
from ringfence.routing.tokens import (
    FEWEST_LESSONS,
    SMALLEST_LESSON,
    TokenCorrections,
    estimate_tokens,
)
from tests.routing.fakes import chat, generation, model

#: Texts of many kinds with their counts by llama.cpp in the vocabulary of Qwen2.5-Coder.
SAMPLES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "token_counts.json").read_text(encoding="utf-8")
)

#: Scripts whose words are single tokens here and several in smaller vocabularies.
OTHER_SCRIPTS = {"russian", "arabic", "accents", "box drawing", "chinese"}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: str(sample["kind"]))
def test_the_estimate_is_above_the_true_count_and_not_far_above(sample: dict[str, Any]) -> None:
    estimate = estimate_tokens(sample["text"])

    most = 4.0 if sample["kind"] in OTHER_SCRIPTS else 2.25
    assert sample["tokens"] <= estimate <= sample["tokens"] * most


@given(st.text(max_size=300), st.text(max_size=300))
def test_more_text_is_never_fewer_tokens_than_a_part_of_it(first: str, second: str) -> None:
    together = estimate_tokens(f"{first}\n{second}")

    # Each estimate is rounded up, and the newline joins runs of newlines into one.
    assert together <= estimate_tokens(first) + estimate_tokens("\n") + estimate_tokens(second)
    assert together >= max(estimate_tokens(first), estimate_tokens(second)) - 2


def test_nothing_is_no_tokens() -> None:
    assert estimate_tokens("") == 0


def test_control_characters_and_half_surrogates_count() -> None:
    assert estimate_tokens("\x00\x01\x02" * 10) >= 10
    assert estimate_tokens("\ud800" * 10) >= 3


LONG = "word " * 400


def learn(corrections: TokenCorrections, ratio: float, times: int = 1, text: str = LONG) -> None:
    asked = generation(model(), prompt=chat(text))
    for _ in range(times):
        corrections.learn(asked, Usage(prompt_tokens=round(estimate_tokens(text) * ratio)))


def test_without_usage_nothing_is_corrected() -> None:
    corrections = TokenCorrections()

    corrections.learn(generation(model(), prompt=chat(LONG)), Usage())

    assert corrections.factor("laptop", "coder:7b") == 1.0
    assert corrections.factors() == {}


def test_more_than_estimated_is_believed_at_once() -> None:
    corrections = TokenCorrections()

    learn(corrections, 1.5)

    assert corrections.factor("laptop", "coder:7b") == pytest.approx(1.575, abs=0.01)
    assert corrections.factor("laptop", "other") == 1.0


def test_less_than_estimated_is_believed_after_some_prompts() -> None:
    corrections = TokenCorrections()

    learn(corrections, 0.6, FEWEST_LESSONS - 1)
    assert corrections.factor("laptop", "coder:7b") == 1.0
    learn(corrections, 0.7)

    assert corrections.factor("laptop", "coder:7b") == pytest.approx(0.735, abs=0.01)


def test_short_prompts_teach_nothing() -> None:
    corrections = TokenCorrections()
    assert estimate_tokens("short") < SMALLEST_LESSON

    learn(corrections, 9.0, text="short")

    assert corrections.factors() == {}


def test_an_absurd_count_is_bounded() -> None:
    corrections = TokenCorrections()

    learn(corrections, 1000.0)

    assert corrections.factor("laptop", "coder:7b") == 4.0
