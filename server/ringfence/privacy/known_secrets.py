"""Secrets this process has masked: masked wherever they turn up again, and let past no gate."""

from __future__ import annotations

import json
from collections import OrderedDict

#: Secrets that are remembered; the least recently seen is forgotten first.
CAPACITY = 500

#: A value must have this many characters to be looked for by itself: a shorter one may well
#: be a word that stands elsewhere in its own right.
SHORTEST = 12


class KnownSecrets:
    """Secrets in memory, with the forms in which they would stand in a request's body."""

    def __init__(self) -> None:
        self._forms: OrderedDict[str, tuple[bytes, ...]] = OrderedDict()

    def remember(self, secret: str) -> None:
        """Look for ``secret`` from now on, unless it is too short to be told from a word."""
        if len(secret) < SHORTEST:
            return
        if secret not in self._forms:
            self._forms[secret] = _forms(secret)
        self._forms.move_to_end(secret)
        if len(self._forms) > CAPACITY:
            self._forms.popitem(last=False)

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where known secrets stand in ``text``."""
        found: list[tuple[int, int]] = []
        for secret in self._forms:
            start = text.find(secret)
            while start >= 0:
                found.append((start, start + len(secret)))
                start = text.find(secret, start + len(secret))
        return found

    def found_in(self, body: bytes) -> bool:
        """Tell whether a known secret stands in a body, as it is or as JSON writes it."""
        return any(form in body for forms in self._forms.values() for form in forms)

    def clear(self) -> None:
        """Forget all."""
        self._forms.clear()


#: Those of this process.
KNOWN_SECRETS = KnownSecrets()


def _forms(secret: str) -> tuple[bytes, ...]:
    plain = secret.encode("utf-8", "replace")
    as_json = (json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    return tuple({plain, *(form.encode("utf-8", "replace") for form in as_json)})
