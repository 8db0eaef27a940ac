"""The audit log is whole, or it says where it is not."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from ringfence.privacy import AuditEntry, AuditLog, read_audit, verify_audit
from ringfence.privacy import audit as audit_module


def entry(number: int = 1, refused: str = "") -> AuditEntry:
    return AuditEntry(
        "cloud", "m", "cloud", "edit", ("/work",), ("a.py",), number, "0" * 64, refused
    )


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path / "state" / "audit.jsonl")
    for number in range(5):
        log.record(entry(number))
    return log


def test_entries_come_back_in_order(log: AuditLog) -> None:
    assert [line["sent_bytes"] for line in read_audit(log.path)] == [0, 1, 2, 3, 4]
    assert verify_audit(log.path) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_only_the_user_can_read_it(log: AuditLog) -> None:
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.path.parent.stat().st_mode) == 0o700


def test_a_changed_entry_is_found(log: AuditLog) -> None:
    lines = log.path.read_text().splitlines()
    changed = json.loads(lines[2]) | {"backend": "elsewhere"}
    log.path.write_text("\n".join([*lines[:2], json.dumps(changed), *lines[3:]]) + "\n")

    assert verify_audit(log.path) == [
        "audit.jsonl, line 4: the entry before it was changed or removed"
    ]


def test_a_removed_entry_is_found(log: AuditLog) -> None:
    lines = log.path.read_text().splitlines()
    log.path.write_text("\n".join([*lines[:2], *lines[3:]]) + "\n")

    assert len(verify_audit(log.path)) == 1


def test_a_line_that_is_no_entry_is_found(log: AuditLog) -> None:
    with log.path.open("a") as file:
        file.write("half an ent")

    assert verify_audit(log.path) == ["audit.jsonl, line 6: not an entry"]
    assert list(read_audit(log.path))[-1] == {"damaged": True}


def test_a_full_log_is_put_aside_and_the_chain_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_module, "ROTATE_AT", 600)
    log = AuditLog(tmp_path / "audit.jsonl")

    for number in range(8):
        log.record(entry(number))

    assert (tmp_path / "audit.1.jsonl").exists()
    assert [line["sent_bytes"] for line in read_audit(log.path)] == list(range(8))
    assert verify_audit(log.path) == []


def test_two_processes_write_one_chain(tmp_path: Path) -> None:
    first, second = (AuditLog(tmp_path / "audit.jsonl") for _ in range(2))

    for number in range(6):
        (first if number % 2 else second).record(entry(number))

    assert verify_audit(first.path) == []
