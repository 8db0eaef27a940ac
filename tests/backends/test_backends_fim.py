"""Fill-in-the-middle: which format a model has, how it is written, what comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.backends.fim import FORMATS, format_in, format_of, is_general, named_format
from ringfence.backends.fim_prompt import Reindented, render, split_indentation, stops

from .asking import hole

QWEN = FORMATS["qwen2.5-coder"]


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("qwen2.5-coder:7b", "qwen2.5-coder"),
        ("Qwen/Qwen2.5-Coder-1.5B-Instruct", "qwen2.5-coder"),
        ("qwen2.5-coder-0.5b-instruct-q4_k_m.gguf", "qwen2.5-coder"),
        ("Qwen3-Coder-30B-A3B", "qwen2.5-coder"),
        ("codeqwen:7b-code", "codeqwen"),
        ("starcoder2:3b", "starcoder2"),
        ("bigcode/starcoderbase-1b", "starcoder"),
        ("stable-code:3b-code", "stable-code"),
        ("bigcode/santacoder", "santacoder"),
        ("granite-code:8b", "granite-code"),
        ("ibm-granite/granite-8b-code-base", "granite-code"),
        ("granite3.3:8b", "granite-code"),
        ("granite4:tiny-h", "granite-4"),
        ("deepseek-coder:6.7b-base", "deepseek-coder"),
        ("DeepSeek-Coder-V2-Lite-Base", "deepseek-coder"),
        ("codegemma:2b-code", "codegemma"),
        ("codellama:7b-code", "codellama"),
        ("CodeLlama-13b-hf", "codellama"),
        ("codestral:22b", "codestral"),
        ("Seed-Coder-8B-Base", "seed-coder"),
    ],
)
def test_a_familys_name_gives_its_format(name: str, family: str) -> None:
    format_ = format_of(None, name)

    assert format_ is not None
    assert format_.family == family


@pytest.mark.parametrize(
    "name",
    [
        "llama3.1:8b",
        "Meta-Llama-3.1-70B-Instruct-Q4_K_M.gguf",
        "qwen2.5:7b",
        "qwen3:8b",
        "mistral:7b",
        "gemma3:4b",
        "phi-4",
        "gpt-4o",
        "codellama:34b-code",
        "codellama:7b-python",
        "mamba-codestral-7b",
        "devstral:24b",
        "smollm2:135m",
    ],
)
def test_models_not_trained_on_holes_have_no_format(name: str) -> None:
    assert format_of(name) is None


@pytest.mark.parametrize("name", ["llama3.1:8b", "qwen2.5-7b-instruct.gguf", "Mistral-7B"])
def test_the_vocabulary_of_a_general_model_proves_nothing(name: str) -> None:
    assert is_general(name)


@pytest.mark.parametrize("name", ["model.gguf", "my-finetune", "llama.cpp", "qwen2.5-coder"])
def test_other_names_leave_the_vocabulary_to_tell(name: str) -> None:
    assert not is_general(name) or format_of(name) is not None


def test_a_vocabulary_gives_its_format() -> None:
    shared = {"<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"}

    assert format_in(shared | {"<|file_sep|>"}) is FORMATS["qwen2.5-coder"]
    assert format_in(shared | {"<|file_separator|>"}) is FORMATS["codegemma"]
    assert format_in({"<PRE>", "<SUF>", "<MID>"}) is FORMATS["codellama"]
    assert format_in({"[PREFIX]", "[SUFFIX]"}) is None
    assert format_in(shared) is None


def test_the_configuration_names_a_family_or_a_model() -> None:
    assert named_format("StarCoder2") is FORMATS["starcoder2"]
    assert named_format("deepseek-coder:1.3b") is FORMATS["deepseek-coder"]
    assert named_format("nonsense") is None


def test_a_hole_is_written_in_the_familys_tokens() -> None:
    prompt = hole("before", "after")

    assert render(QWEN, prompt, "before") == (
        "<|fim_prefix|>before<|fim_suffix|>after<|fim_middle|>"
    )
    assert render(FORMATS["codestral"], prompt, "before") == "[SUFFIX]after[PREFIX]before"
    assert render(FORMATS["codellama"], prompt, "before") == "<PRE> before <SUF>after <MID>"


def test_related_files_stand_first_and_in_order() -> None:
    prompt = hole("x", "y", ("lib/one.py", "ONE"), ("two.py", "TWO"))

    assert render(QWEN, prompt, "x") == (
        "<|repo_name|>project\n"
        "<|file_sep|>lib/one.py\nONE\n"
        "<|file_sep|>two.py\nTWO\n"
        "<|file_sep|>a.py\n"
        "<|fim_prefix|>x<|fim_suffix|>y<|fim_middle|>"
    )


def test_typing_leaves_the_start_of_the_prompt_as_it_was() -> None:
    related = ("lib.py", "LIB")

    before = render(QWEN, hole("x = ", "", related), "x = ")
    after = render(QWEN, hole("x = 1", "", related), "x = 1")

    assert after.startswith(before.partition("<|fim_suffix|>")[0])


def test_a_family_without_a_token_between_files_gets_no_related_files() -> None:
    assert "ONE" not in render(FORMATS["deepseek-coder"], hole("x", "y", ("one.py", "ONE")), "x")


def test_every_format_has_at_most_four_stops_and_its_own_tokens() -> None:
    for format_ in FORMATS.values():
        assert 1 <= len(format_.stop) <= 4
        assert format_.prefix_token != format_.suffix_token


def test_the_callers_stops_come_first_and_four_are_the_most() -> None:
    assert stops(QWEN, ("\n\n", "<|im_end|>")) == ["\n\n", "<|im_end|>", *QWEN.stop[:2]]
    assert stops(None, ()) == []


@pytest.mark.parametrize(
    ("prefix", "sent", "kept"),
    [
        ("def f():\n    ", "def f():\n", "    "),
        ("def f():\n\t\t", "def f():\n", "\t\t"),
        ("    ", "", "    "),
        ("def f():\n", "def f():\n", ""),
        ("x = ", "x = ", ""),
        ("    return ", "    return ", ""),
        ("", "", ""),
    ],
)
def test_indentation_is_kept_off_the_prompt(prefix: str, sent: str, kept: str) -> None:
    assert split_indentation(prefix) == (sent, kept)


@given(st.text("ab \t\n", max_size=30))
def test_what_is_split_off_is_what_was_there(prefix: str) -> None:
    sent, kept = split_indentation(prefix)

    assert sent + kept == prefix
    assert not kept.strip(" \t")
    assert split_indentation(sent) == (sent, "")


def restored(indentation: str, pieces: list[str]) -> str:
    reindented = Reindented(indentation)
    return "".join(map(reindented.feed, pieces))


@given(
    st.sampled_from(["", "  ", "    ", "\t", "\t  "]),
    st.text("ab \t\n", max_size=12),
    st.lists(st.integers(0, 20), max_size=6),
)
def test_the_models_indentation_is_taken_off_however_it_comes(
    indentation: str, rest: str, places: list[int]
) -> None:
    text = indentation + rest
    ends = sorted({min(place, len(text)) for place in places} | {len(text)})
    pieces = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    assert restored(indentation, pieces) == rest


@pytest.mark.parametrize(
    ("indentation", "answer", "expected"),
    [
        ("    ", "        return a", "    return a"),
        ("    ", "return a", "return a"),
        ("    ", "  return a", "return a"),
        ("\t", "    return a", "return a"),
        ("    ", "\n    x", "\n    x"),
        ("    ", "    a\n    b", "a\n    b"),
    ],
)
def test_other_indentation_than_expected_does_no_harm(
    indentation: str, answer: str, expected: str
) -> None:
    assert restored(indentation, list(answer)) == expected
