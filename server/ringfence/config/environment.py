"""References to environment variables: ``${NAME}`` in any text of the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .problems import Fault, KeyPath, dotted

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class Expansion:
    """Puts the values of environment variables in place of references to them.

    Args:
        environment: the variables.

    Attributes:
        references: each text that had a reference, as it was written.
        faults: a warning for each variable that is not set.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.references: dict[KeyPath, str] = {}
        self.faults: list[Fault] = []

    def expand(self, value: Any, path: KeyPath = ()) -> Any:
        """Return ``value`` with its references replaced, None where a variable is missing."""
        if isinstance(value, dict):
            return {key: self.expand(item, (*path, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.expand(item, (*path, index)) for index, item in enumerate(value)]
        if isinstance(value, str) and _REFERENCE.search(value):
            return self._expand_text(value, path)
        return value

    def _expand_text(self, text: str, path: KeyPath) -> str | None:
        self.references[path] = text
        missing = [name for name in _REFERENCE.findall(text) if not self._usable(name)]
        # An entry of a list cannot count as not given: a rule would silently be dropped.
        in_list = isinstance(path[-1], int)
        for name in dict.fromkeys(missing):
            state = "holds no plain text" if self._environment.get(name) else "is not set"
            words = f'"{dotted(path)}" refers to the environment variable {name}, which {state}'
            if in_list:
                self.faults.append(Fault(path, words))
            else:
                words += "; it counts as not given"
                self.faults.append(Fault(path, words, severity="warning"))
        if missing:
            return None
        return _REFERENCE.sub(lambda match: self._environment[match[1]], text)

    def _usable(self, name: str) -> bool:
        """Whether the variable is set to text; an empty one means the same as none."""
        value = self._environment.get(name, "")
        return bool(value) and value.isprintable()
