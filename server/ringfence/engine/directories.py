"""Where the engine keeps its files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import platformdirs


@dataclass(frozen=True, slots=True)
class EngineDirectories:
    """Folders of the user's own.

    Attributes:
        models: where models lie; large, may be shared and put on another disk.
        state: where running engines are told of; holds API keys.
    """

    models: Path
    state: Path

    @classmethod
    def standard(cls, environment: Mapping[str, str] | None = None) -> Self:
        """Return the platform's folders; ``RINGFENCE_MODELS`` moves the models."""
        environment = os.environ if environment is None else environment
        chosen = environment.get("RINGFENCE_MODELS")
        data = platformdirs.user_data_path("ringfence", appauthor=False)
        return cls(
            models=Path(chosen).expanduser() if chosen else data / "models",
            state=platformdirs.user_state_path("ringfence", appauthor=False) / "engine",
        )
