"""Finding secrets in text: a maintained detector's formats, keywords, and entropy.

The formats are those of ``bc-detect-secrets``, which Bridgecrew maintains, with the few
that it lacks. Nothing is verified by asking anybody.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

#: Formats that the detector does not know, as their issuers document them.
_MORE_FORMATS = (
    r"\bsk-(?:proj-|svcacct-|ant-[a-z0-9]+-)?[A-Za-z0-9_-]{20,}",
    r"\bAIza[0-9A-Za-z_-]{35}",
    r"\bya29\.[0-9A-Za-z_-]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{22,}",
    r"\bgl(?:pat|dt|ptt|rt)-[0-9A-Za-z_-]{20,}",
    r"\bhf_[A-Za-z0-9]{30,}",
    r"\bpypi-[A-Za-z0-9_-]{50,}",
    r"\bdop_v1_[a-f0-9]{64}",
    r"\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    r"\bAGE-SECRET-KEY-1[0-9A-Z]{58}",
    r"\b(?:r|s)k_test_[0-9a-zA-Z]{24,}",
)

#: A whole private key, not its first line alone.
_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----.*?"
    r"(?:-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|\Z)",
    re.DOTALL,
)

#: A quoted value that is assigned to something with a telling name.
_NAMED = re.compile(
    r"(?i)\b[\w.-]*(?:passw(?:or)?d|passphrase|pwd|secret|api_?key|apikey|access_?key|"
    r"auth_?token|access_?token|refresh_?token|client_?secret|private_?key|credential)[\w.-]*"
    r"""["']?\s*(?::=|=>|[:=])\s*(?:[bruf]{0,2})(["'])(?P<value>[^"'\n]{6,200})\1"""
)

#: A quoted value in one alphabet, long enough to be judged by its entropy.
_QUOTED = re.compile(r"""(["'`])(?P<value>[A-Za-z0-9+/_=-]{24,200})\1""")

#: Bits per character beyond which a quoted value looks random; the detector's limits are
#: 4.5 for base64 and 3 for hexadecimal, which here would take every digest of a lock
#: file. Hexadecimal is left to names and formats for that reason.
_RANDOM_BITS = 4.5

_HEX = re.compile(r"[0-9a-fA-F-]+")

#: Values that stand for a secret and are none.
_STAND_INS = re.compile(
    r"(?i)\$\{|\{\{|<[a-z _-]+>|%\(|\*{4}|\bx{4,}|your|example|changeme|placeholder|dummy|test|"
    r"^(?:none|null|true|false|password|secret)$|environ|getenv"
)


def find_secrets(text: str) -> list[tuple[int, int]]:
    """Return where secrets stand in ``text``: ordered spans that do not touch."""
    spans = sorted({*_formats_in(text), *_named_in(text), *_random_in(text)})
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _formats_in(text: str) -> Iterator[tuple[int, int]]:
    for match in _PRIVATE_KEY.finditer(text):
        yield match.span()
    for pattern in _formats():
        for match in pattern.finditer(text):
            # One group that is long enough is the secret within its surroundings.
            inner = match.lastindex == 1 and len(match.group(1)) >= 6
            start, end = match.span(1) if inner else match.span()
            while start < end and text[start] in " \"'=:":
                start += 1
            while end > start and text[end - 1] in " \"'":
                end -= 1
            yield start, end


def _named_in(text: str) -> Iterator[tuple[int, int]]:
    for match in _NAMED.finditer(text):
        value = match["value"]
        if not _STAND_INS.search(value) and " " not in value:
            yield match.span("value")


def _random_in(text: str) -> Iterator[tuple[int, int]]:
    for match in _QUOTED.finditer(text):
        value = match["value"]
        if _HEX.fullmatch(value) or _STAND_INS.search(value):
            continue
        if any(c.isdigit() for c in value) and _entropy(value) > _RANDOM_BITS:
            yield match.span("value")


def _entropy(value: str) -> float:
    """Return Shannon's entropy in bits per character."""
    total = len(value)
    return -sum(n / total * math.log2(n / total) for n in Counter(value).values())


@cache
def _formats() -> tuple[re.Pattern[str], ...]:
    """Return the patterns of all formats. The detector is imported when first needed."""
    from detect_secrets import plugins
    from detect_secrets.plugins.base import RegexBasedDetector

    patterns = [re.compile(pattern) for pattern in _MORE_FORMATS]
    for module in pkgutil.iter_modules(plugins.__path__):
        content = vars(importlib.import_module(f"{plugins.__name__}.{module.name}"))
        for detector in content.values():
            if isinstance(detector, type) and issubclass(detector, RegexBasedDetector):
                denylist = getattr(detector, "denylist", None)
                if isinstance(denylist, list | tuple):
                    patterns += [p for p in denylist if "PRIVATE KEY" not in p.pattern]
    return tuple(patterns)
