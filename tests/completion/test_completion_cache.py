"""Keystrokes that agree with a completion are answered without a model."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ringfence.completion.cache import CachedCompletion, TypeThroughCache
from ringfence.privacy import Source, SourceKind, Zone
from tests.completion.places import window_at

URI = "file:///a.py"
SOURCE = Source(SourceKind.DOCUMENT, allow=Zone.DEVICE, folder="/project")


def completion(text: str) -> CachedCompletion:
    return CachedCompletion(text, "laptop", "coder", Zone.DEVICE)


def test_typing_along_answers_with_the_rest() -> None:
    cache = TypeThroughCache()
    cache.put(URI, SOURCE, window_at("x = |\n"), completion("foo(1)"))

    found = cache.get(URI, SOURCE, window_at("x = fo|\n"))

    assert found is not None
    assert found.text == "o(1)"


def test_going_back_answers_again() -> None:
    cache = TypeThroughCache()
    cache.put(URI, SOURCE, window_at("x = |\n"), completion("foo(1)"))
    cache.get(URI, SOURCE, window_at("x = fo|\n"))

    found = cache.get(URI, SOURCE, window_at("x = f|\n"))

    assert found is not None
    assert found.text == "oo(1)"


def test_typing_something_else_asks_again() -> None:
    cache = TypeThroughCache()
    cache.put(URI, SOURCE, window_at("x = |\n"), completion("foo(1)"))

    assert cache.get(URI, SOURCE, window_at("x = b|\n")) is None


def test_typing_all_of_it_asks_again() -> None:
    cache = TypeThroughCache()
    cache.put(URI, SOURCE, window_at("x = |\n"), completion("foo"))

    assert cache.get(URI, SOURCE, window_at("x = foo|\n")) is None


def test_a_change_after_the_cursor_asks_again() -> None:
    cache = TypeThroughCache()
    cache.put(URI, SOURCE, window_at("x = |\ny = 1\n"), completion("foo"))

    assert cache.get(URI, SOURCE, window_at("x = |\ny = 2\n")) is None


def test_another_policy_never_sees_the_text() -> None:
    cache = TypeThroughCache()
    cache.put(URI, SOURCE, window_at("x = |"), completion("foo"))
    loosened = Source(SourceKind.DOCUMENT, allow=Zone.CLOUD, folder="/project")
    elsewhere = Source(SourceKind.DOCUMENT, allow=Zone.DEVICE, folder="/other")

    assert cache.get(URI, loosened, window_at("x = |")) is None
    assert cache.get(URI, elsewhere, window_at("x = |")) is None


def test_a_forgotten_folder_is_gone() -> None:
    cache = TypeThroughCache()
    cache.put(URI, SOURCE, window_at("x = |"), completion("foo"))

    cache.forget("/project")

    assert cache.get(URI, SOURCE, window_at("x = |")) is None


@given(st.text(alphabet="abc(.\n", min_size=1, max_size=40), st.integers(0, 39))
def test_any_agreeing_start_gives_exactly_the_rest(text: str, typed: int) -> None:
    cache = TypeThroughCache()
    cache.put(URI, SOURCE, window_at("x = |"), completion(text))
    typed = min(typed, len(text) - 1)

    found = cache.get(URI, SOURCE, window_at("x = " + text[:typed] + "|"))

    assert found is not None
    assert found.text == text[typed:]
