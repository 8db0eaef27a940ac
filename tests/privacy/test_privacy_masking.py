"""Secrets are taken out of what leaves, and put back into what comes back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.privacy.masking import Masker, RestoreFailed, StreamRestorer
from ringfence.privacy.secrets import find_secrets

AWS = "AKIA" + "QWERTYUIOPASDFGH"
GITHUB = "ghp_" + "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7aB3dE6gH9"


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (f'key = "{AWS}"', AWS),
        (f"token: {GITHUB}", GITHUB),
        ('password = "correct-horse-battery"', "correct-horse-battery"),
        ('DB = "postgres://bob:s3cr3tpw@db.internal/x"', "s3cr3tpw"),
        ('OPENAI = "sk-proj-abcdefghij0123456789KLMNOP"', "sk-proj-abcdefghij0123456789KLMNOP"),
        ('"client_secret": "9f8Hq2LmZx71"', "9f8Hq2LmZx71"),
    ],
)
def test_a_secret_is_taken_out_and_nothing_else(line: str, secret: str) -> None:
    masked = Masker().mask(line)

    assert secret not in masked
    assert masked.startswith(line[: line.index(secret)].rstrip("\"' ")[:4])


def test_a_whole_private_key_is_taken_out() -> None:
    body = "\n".join(["MIIEpAIBAAKCAQEA7bq" * 3] * 4)
    text = f"-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n"

    assert "MIIE" not in Masker().mask(f"x = 1\n{text}y = 2\n")


@pytest.mark.parametrize(
    "line",
    [
        "password = os.environ['PASSWORD']",
        'password = "changeme"',
        "def reset(password: str) -> None: ...",
        'sha256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"',
        'id = "550e8400-e29b-41d4-a716-446655440000"',
        "api_key = ${API_KEY}",
        "from collections.abc import AsyncGenerator, Mapping",
    ],
)
def test_what_is_no_secret_stays(line: str) -> None:
    assert find_secrets(line) == []


def test_one_secret_has_one_placeholder_wherever_it_stands() -> None:
    first, second = Masker(), Masker()

    assert first.mask(f'a = "{AWS}"')[5:] == second.mask(f'b = "{AWS}"')[5:]


def test_a_damaged_placeholder_is_refused() -> None:
    masker = Masker()
    masked = masker.mask(f'key = "{AWS}"')

    with pytest.raises(RestoreFailed):
        masker.restore(masked.replace('"', "").removesuffix(masked[-3])[:-2])


def test_a_placeholder_of_another_secret_is_refused() -> None:
    masker = Masker()
    masker.mask(f'key = "{AWS}"')

    with pytest.raises(RestoreFailed):
        masker.restore('key = "rfmask_000000000000"')


@given(
    st.lists(
        st.sampled_from(
            [f'"{AWS}"', GITHUB, 'password = "correct-horse-battery"', "x = 1\n", "é "]
        ),
        max_size=8,
    ),
    st.lists(st.integers(1, 9), min_size=1, max_size=20),
)
def test_a_stream_is_restored_wherever_it_is_split(pieces: list[str], sizes: list[int]) -> None:
    text = " ".join(pieces)
    masker = Masker()
    masked = masker.mask(text)
    restorer = StreamRestorer(masker)

    restored, at, turn = "", 0, 0
    while at < len(masked):
        size = sizes[turn % len(sizes)]
        restored += restorer.feed(masked[at : at + size])
        at, turn = at + size, turn + 1

    assert restored + restorer.finish() == text


@given(st.text(max_size=200))
def test_any_text_survives_masking_and_restoring(text: str) -> None:
    masker = Masker()

    assert masker.restore(masker.mask(text)) == text
