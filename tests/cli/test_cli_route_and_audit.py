"""``ringfence route`` and ``ringfence audit``, as users run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ringfence.privacy import AuditEntry, AuditLog

NO_ENGINE = "engine: {enabled: false}\n"


def run(folder: Path, *arguments: str, config: str = NO_ENGINE) -> tuple[int, Any, str]:
    """Run a command with ``--json``; return its exit code, its result and its messages."""
    (folder / "config.yaml").write_text(config)
    environment = {
        **os.environ,
        "RINGFENCE_CONFIG": str(folder / "config.yaml"),
        "RINGFENCE_STATE": str(folder / "state"),
        "RINGFENCE_MODELS": str(folder / "models"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "ringfence", *arguments, "--json"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    code, listed, _ = run(tmp_path, "audit")
    assert (code, listed["entries"]) == (0, [])
    log = AuditLog(Path(listed["path"]))
    for zone, refused in (("cloud", ""), ("network", ""), ("cloud", "too far")):
        log.record(AuditEntry("far", "m", zone, "edit", (), ("a.py",), 9, "0" * 64, refused))
    return log


def test_without_a_model_there_is_no_route_and_the_remedy_is_said(tmp_path: Path) -> None:
    code, answer, _ = run(tmp_path, "route", "--task", "completion")

    assert code == 1
    assert not answer["decided"]
    assert answer["remedy"]


def test_the_policy_of_the_folder_holds(tmp_path: Path) -> None:
    config = f"{NO_ENGINE}workspaces:\n  - {{path: {tmp_path}, allow: network}}\n"

    _, answer, _ = run(
        tmp_path, "route", "--task", "edit", "--workspace", str(tmp_path), config=config
    )

    assert answer["task"]["allow"] == "network"


def test_an_unknown_task_is_wrong_use(tmp_path: Path) -> None:
    code, answer, _ = run(tmp_path, "route", "--task", "cooking")

    assert code == 2
    assert "completion, edit" in answer["error"]["message"]


def test_what_left_is_listed_and_filtered(tmp_path: Path, log: AuditLog) -> None:
    assert len(run(tmp_path, "audit")[1]["entries"]) == 3
    assert len(run(tmp_path, "audit", "--zone", "cloud")[1]["entries"]) == 2
    assert [e["refused"] for e in run(tmp_path, "audit", "--refused")[1]["entries"]] == ["too far"]
    assert len(run(tmp_path, "audit", "--last", "1")[1]["entries"]) == 1


def test_a_log_that_is_not_whole_is_told_by_the_exit_code(tmp_path: Path, log: AuditLog) -> None:
    lines = log.path.read_text().splitlines()
    log.path.write_text("\n".join([lines[0], *lines[2:]]) + "\n")

    code, answer, _ = run(tmp_path, "audit")

    assert code == 1
    assert answer["problems"]
