"""What ``ringfence doctor`` looks at on this machine: configuration, folders, policy, versions."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import ringfence

from .output import gigabytes

if TYPE_CHECKING:
    from ringfence.config.load import Loaded
    from ringfence.config.locate import Directories
    from ringfence.privacy import Ring

#: ``fail`` is what keeps completions from coming, ``warn`` what may surprise.
Health: TypeAlias = Literal["ok", "warn", "fail"]

#: Free space below which a model could not be fetched.
_LITTLE_SPACE = 1_000_000_000

_PACKAGES = ("pygls", "lsprotocol", "pydantic", "httpx2", "xllamacpp")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        topic: what, in a word or two.
        message: what was found, in a sentence.
        remedy: what to do about it; empty when nothing needs doing.
        details: the same for scripts, and what else they may want to know.
        lines: lines to show below, such as the end of a log.
    """

    topic: str
    health: Health
    message: str
    remedy: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the check as JSON values."""
        return {
            "topic": self.topic,
            "health": self.health,
            "message": self.message,
            "remedy": self.remedy or None,
            **self.details,
        }


def check_versions() -> Iterator[Check]:
    """Say what runs here."""
    versions = {"ringfence": ringfence.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    words = ", ".join(f"{name} {version}" for name, version in versions.items())
    yield Check("versions", "ok", f"{words}, {platform.platform()}", details={"versions": versions})


def check_configuration(loaded: Loaded) -> Iterator[Check]:
    """Look at the configuration file."""
    path = loaded.path
    for problem in loaded.problems:
        health: Health = "fail" if problem.severity == "error" else "warn"
        yield Check("configuration", health, problem.message, details=problem.as_json())
    if loaded.errors:
        message = "the configuration is not used because of the errors; the defaults hold"
        yield Check("configuration", "fail", message, "mend the lines above")
    elif not loaded.exists:
        yield Check("configuration", "ok", f"there is no {path}; the defaults hold")
    elif not loaded.problems:
        yield Check("configuration", "ok", f"{path} is in order")
    if loaded.exists and _others_may_write(path):
        message = f"other users of this machine may change {path}, and so what your code may do"
        yield Check("configuration", "warn", message, f"chmod go-w {path}")


def check_folders(directories: Directories) -> Iterator[Check]:
    """Look whether what has to be written can be."""
    folders = {
        "state": directories.state,
        "cache": directories.cache,
        "models": directories.models,
        "logs": directories.logs,
    }
    locked = [name for name, path in folders.items() if not _can_write(path)]
    details = {"folders": {name: str(path) for name, path in folders.items()}}
    for name in locked:
        message = f"the folder for {name}, {folders[name]}, cannot be written"
        remedy = "make it writable, or move it with RINGFENCE_STATE or RINGFENCE_MODELS"
        yield Check("folders", "fail", message, remedy, details)
    if directories.state.exists() and _others_may_write(directories.state):
        message = f"other users of this machine may write to {directories.state}"
        yield Check("folders", "warn", message, f"chmod go-w {directories.state}", details)
    elif not locked:
        yield Check("folders", "ok", "state, cache, models and logs can be written", "", details)


def check_machine(models: Path) -> Iterator[Check]:
    """Look at processors, memory and disk."""
    from ringfence.engine.machine import examine

    machine = examine()
    free = shutil.disk_usage(_existing(models)).free
    details = {
        "processors": machine.usable_processors,
        "memory_bytes": machine.memory_total,
        "memory_available_bytes": machine.memory_available,
        "disk_free_bytes": free,
    }
    message = (
        f"{machine.usable_processors:g} processors, "
        f"{gigabytes(machine.memory_total)} of memory ({gigabytes(machine.memory_available)} "
        f"available), {gigabytes(free)} free for models"
    )
    if free < _LITTLE_SPACE:
        remedy = "free some, or set RINGFENCE_MODELS to a folder on another disk"
        yield Check("machine", "warn", message, remedy, details)
    else:
        yield Check("machine", "ok", message, "", details)


def check_policy(ring: Ring, folder: Path) -> Iterator[Check]:
    """Say how far the code of a folder may travel."""
    verdict = ring.verdict((folder / "example.py").as_uri())
    policy = verdict.policy
    details = {"folder": str(folder), "allow": policy.allow.label, "because": policy.because}
    for problem in policy.problems:
        yield Check("policy", "warn", problem, "mend the file; until then it means device", details)
    where = {
        "device": "stays on this device",
        "network": "may reach your network",
        "cloud": "may reach the cloud",
    }[policy.allow.label]
    message = f"code in {folder} {where} ({policy.because})"
    yield Check("policy", "ok", message, "", details)


def check_audit(path: Path) -> Iterator[Check]:
    """Look whether the record of what left the device is whole."""
    from ringfence.privacy import verify_audit

    try:
        broken = verify_audit(path)
    except OSError as error:
        words = (error.strerror or type(error).__name__).lower()
        yield Check("audit", "fail", f"the audit log cannot be read: {words}", f"look at {path}")
        return
    for sentence in broken:
        yield Check("audit", "warn", sentence, "see `ringfence audit`")
    if not broken:
        yield Check("audit", "ok", "the record of what left this device is whole")


def _others_may_write(path: Path) -> bool:
    if sys.platform == "win32":
        # Windows keeps a user's folders to that user by inherited rights.
        return False
    return bool(path.stat().st_mode & 0o022)


def _can_write(path: Path) -> bool:
    existing = _existing(path)
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def _existing(path: Path) -> Path:
    """Return the folder itself or the nearest above it that exists."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
