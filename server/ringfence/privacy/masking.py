"""Secrets out of what leaves the device, and back into what comes back."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets as random

from .secrets import find_secrets

#: What a masked secret looks like: a word that models copy as it is.
_PREFIX = "rfmask_"
_PLACEHOLDER = re.compile(rf"{_PREFIX}[0-9a-f]{{12}}")

#: What is left of a placeholder that a model has damaged.
_DAMAGED = re.compile(r"rfmask_?[0-9a-zA-Z_]*|RFMASK_?[0-9A-Z_]*", re.IGNORECASE)

_LENGTH = len(_PREFIX) + 12


class RestoreFailed(Exception):
    """A placeholder came back damaged, so the text cannot be trusted."""


class Masker:
    """Replaces secrets by placeholders, the same secret always by the same one.

    Placeholders are made with a key of this process, so that they tell nothing of the
    secret. One masker serves one request and restores what it masked itself.
    """

    _key = random.token_bytes(32)

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}

    @property
    def count(self) -> int:
        """How many different secrets were masked."""
        return len(self._secrets)

    def mask(self, text: str) -> str:
        """Return ``text`` with each secret replaced."""
        pieces: list[str] = []
        end = 0
        for start, stop in find_secrets(text):
            pieces += [text[end:start], self._placeholder(text[start:stop])]
            end = stop
        return "".join([*pieces, text[end:]])

    def restore(self, text: str) -> str:
        """Return ``text`` with each placeholder replaced by its secret.

        Raises:
            RestoreFailed: when a placeholder is unknown or damaged.
        """
        restored = _PLACEHOLDER.sub(lambda match: self._secret(match[0]), text)
        if _DAMAGED.search(_PLACEHOLDER.sub("", text)):
            raise RestoreFailed("a masked secret came back damaged")
        return restored

    def _placeholder(self, secret: str) -> str:
        digest = hmac.new(self._key, secret.encode(), hashlib.sha256).hexdigest()[:12]
        placeholder = _PREFIX + digest
        self._secrets[placeholder] = secret
        return placeholder

    def _secret(self, placeholder: str) -> str:
        if placeholder not in self._secrets:
            raise RestoreFailed("a masked secret came back as another one")
        return self._secrets[placeholder]


class StreamRestorer:
    """Restores a stream in which placeholders may be split between pieces."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = ""

    def feed(self, text: str) -> str:
        """Return what can be restored by now; the start of a placeholder waits.

        Raises:
            RestoreFailed: when a placeholder is unknown or damaged.
        """
        self._held += text
        keep = self._open_placeholder()
        ready, self._held = (
            self._held[: len(self._held) - keep],
            self._held[len(self._held) - keep :],
        )
        return self._masker.restore(ready)

    def finish(self) -> str:
        """Return the rest, at the end of the stream.

        Raises:
            RestoreFailed: when it ends within a placeholder.
        """
        rest, self._held = self._held, ""
        return self._masker.restore(rest)

    def _open_placeholder(self) -> int:
        """Return how many characters at the end may be the start of a placeholder."""
        for size in range(min(_LENGTH - 1, len(self._held)), 0, -1):
            tail = self._held[-size:]
            if _PREFIX.startswith(tail) or (
                tail.startswith(_PREFIX)
                and all(c in "0123456789abcdef" for c in tail[len(_PREFIX) :])
            ):
                return size
        return 0
