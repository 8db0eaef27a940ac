"""Commands of a user who has nothing yet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ringfence.cli.run import run


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Home:
    """A user's folders, and commands that see no others."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "config.yaml"

    def run(self, *arguments: str) -> Done:
        """Run a command in this process."""
        self.capsys.readouterr()
        code = run(arguments)
        return Done(code, *self.capsys.readouterr())

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        """Start a command as a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "ringfence", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.all_variables(),
            **more,
        )

    def process(self, *arguments: str) -> Done:
        """Run a command as a process of its own."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=60)
        return Done(process.returncode, out, err)

    def all_variables(self) -> Mapping[str, str]:
        return {**os.environ, **self.environment}


@pytest.fixture
def home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Home:
    """An empty home: no models, and an engine that is switched off."""
    variables = {
        "RINGFENCE_CONFIG": str(tmp_path / "config.yaml"),
        "RINGFENCE_STATE": str(tmp_path / "state"),
        "RINGFENCE_MODELS": str(tmp_path / "models"),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    made = Home(tmp_path, capsys, variables)
    made.config.write_text("engine: {enabled: false}\n")
    return made
