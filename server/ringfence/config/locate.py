"""Where files are kept, by the platform's custom and the user's environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

#: Environment variables that move things, for tests and for unusual set-ups.
CONFIG_VARIABLE = "RINGFENCE_CONFIG"
STATE_VARIABLE = "RINGFENCE_STATE"
MODELS_VARIABLE = "RINGFENCE_MODELS"


@dataclass(frozen=True, slots=True)
class Directories:
    """The folders of one user.

    Attributes:
        config: the configuration file.
        state: the audit log, the engine's state and telemetry.
        models: model files.
        logs: log files.
    """

    config: Path
    state: Path
    models: Path
    logs: Path


def find_directories() -> Directories:
    """Return where this user's files are kept; nothing is made."""
    platform = platformdirs.PlatformDirs("ringfence", appauthor=False)
    state = _from_environment(STATE_VARIABLE) or platform.user_state_path
    return Directories(
        config=_from_environment(CONFIG_VARIABLE) or platform.user_config_path / "config.yaml",
        state=state,
        models=_from_environment(MODELS_VARIABLE) or platform.user_data_path / "models",
        logs=state / "logs",
    )


def _from_environment(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value).expanduser() if value else None
