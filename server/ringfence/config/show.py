"""Settings as plain values that may be shown: no secrets in them."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, SecretStr

from ringfence.privacy import Zone

from .load import Loaded

#: What stands in place of a secret that was written into the file itself.
HIDDEN = "****"


def shown_settings(loaded: Loaded) -> dict[str, Any]:
    """Return the settings in force, as the full form of the configuration writes them.

    A text that refers to environment variables is shown as it was written, never with
    their values.
    """
    values: dict[str, Any] = _plain(loaded.settings)
    for path, text in loaded.references.items():
        target: Any = values
        for step in path[:-1]:
            target = target[step]
        target[path[-1]] = text
    return values


def as_yaml(values: dict[str, Any]) -> str:
    """Return values as the text of a configuration file."""
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=1000)


def _plain(value: Any) -> Any:
    match value:
        case BaseModel():
            return {name: _plain(getattr(value, name)) for name in type(value).model_fields}
        case tuple() | list():
            return [_plain(item) for item in value]
        case Zone():
            return value.label
        case SecretStr():
            return HIDDEN
        case enum.Enum():
            return value.value
        case Path():
            return str(value)
        case _:
            return value
