"""Where the configuration lies, and where Ringfence keeps its files.

Three environment variables move them, for tests and for unusual set-ups:

    RINGFENCE_CONFIG   the configuration file
    RINGFENCE_STATE    the folder of state, cache and logs
    RINGFENCE_MODELS   the folder of models
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import platformdirs

CONFIG_VARIABLE = "RINGFENCE_CONFIG"
STATE_VARIABLE = "RINGFENCE_STATE"
MODELS_VARIABLE = "RINGFENCE_MODELS"


@dataclass(frozen=True, slots=True)
class Directories:
    """Where one user's files are kept; none of them need exist.

    Attributes:
        config: the configuration file.
        state: the folder of what must survive a restart: the audit log, running engines.
        cache: the folder of what can be made again.
        models: the folder of models; large, may be shared.
        logs: the folder of logs.
    """

    config: Path
    state: Path
    cache: Path
    models: Path
    logs: Path

    @property
    def audit_log(self) -> Path:
        """The record of what left the device and what was refused."""
        return self.state / "audit.jsonl"

    @property
    def engine(self) -> Path:
        """The folder that running engines are told of in."""
        return self.state / "engine"


def find_directories(environment: Mapping[str, str] | None = None) -> Directories:
    """Return where this user's files are kept, by the platform's custom; nothing is made.

    Args:
        environment: the variables that move things; by default this process's.
    """
    environment = os.environ if environment is None else environment
    platform = platformdirs.PlatformDirs("ringfence", appauthor=False)
    moved = _moved(environment, STATE_VARIABLE)
    return Directories(
        config=_moved(environment, CONFIG_VARIABLE) or platform.user_config_path / "config.yaml",
        state=moved or platform.user_state_path,
        cache=moved / "cache" if moved else platform.user_cache_path,
        models=_moved(environment, MODELS_VARIABLE) or platform.user_data_path / "models",
        logs=moved / "logs" if moved else platform.user_log_path,
    )


def _moved(environment: Mapping[str, str], variable: str) -> Path | None:
    value = environment.get(variable)
    if not value:
        return None
    try:
        return Path(value).expanduser().absolute()
    except RuntimeError:
        # There is no such home folder: the path is taken as it is written.
        return Path(value).absolute()
