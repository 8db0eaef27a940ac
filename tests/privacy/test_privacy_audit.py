"""The audit log is whole, or it says where it is not."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
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


@pytest.mark.parametrize("cut", [1, 2, 5], ids=["one", "two", "all"])
def test_entries_cut_off_the_end_are_missed_even_after_more_were_written(
    log: AuditLog, cut: int
) -> None:
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:-cut]))

    assert verify_audit(log.path) == ["audit.jsonl: the newest entries were changed or removed"]
    log.record(entry(6))
    assert len(verify_audit(log.path)) == 1


def test_a_log_that_was_deleted_is_missed(log: AuditLog) -> None:
    log.path.unlink()

    assert len(verify_audit(log.path)) == 1
    log.record(entry(6))
    assert len(verify_audit(log.path)) == 1


def test_the_newest_entry_cannot_be_changed_unseen(log: AuditLog) -> None:
    log.path.write_text(log.path.read_text().replace('"sent_bytes": 4', '"sent_bytes": 9'))

    assert len(verify_audit(log.path)) == 1


def test_a_process_that_ended_between_the_two_writes_broke_nothing(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(audit_module, "_write_head", lambda path, digest: None)
        log.record(entry(5))
    assert verify_audit(log.path) == []

    log.record(entry(6))

    assert verify_audit(log.path) == []


def test_half_a_line_spoils_no_other(log: AuditLog) -> None:
    with log.path.open("a") as file:
        file.write('{"time": "20')

    log.record(entry(6))

    assert [line.get("sent_bytes") for line in read_audit(log.path)] == [0, 1, 2, 3, 4, None, 6]


def test_a_write_that_fails_leaves_nothing_behind(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write

    def failing(descriptor: int, content: bytes) -> int:
        if len(content) < 100:
            raise OSError(28, "No space left on device")
        return write(descriptor, content[:-50])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", failing)
        with pytest.raises(OSError, match="No space"):
            log.record(entry(5))

    assert verify_audit(log.path) == []
    assert len(list(read_audit(log.path))) == 5


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_a_link_in_the_place_of_the_log_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError):  # noqa: PT011 - the words differ between systems
        AuditLog(tmp_path / "audit.jsonl").record(entry())


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_a_log_that_others_could_read_is_closed_to_them(log: AuditLog) -> None:
    log.path.chmod(0o644)

    log.record(entry(6))

    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_very_long_entries_keep_the_chain(log: AuditLog) -> None:
    files = tuple(f"some/folder/file{number}.py" for number in range(9000))
    for number in range(2):
        log.record(AuditEntry("b", None, "cloud", "edit", ("/w",), files, number, "0" * 64))

    log.record(entry(6))

    assert verify_audit(log.path) == []


def test_threads_write_one_chain(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: log.record(entry(number)), range(20)))

    assert verify_audit(log.path) == []
    assert len(list(read_audit(log.path))) == 20


def test_processes_write_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    program = (
        "import sys; from pathlib import Path; from ringfence.privacy import *\n"
        "log = AuditLog(Path(sys.argv[1]))\n"
        "for n in range(10): log.record(AuditEntry('b', None, 'cloud', 'x', (), (), n, '0'))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(2)]

    assert [writer.wait() for writer in writers] == [0, 0]
    assert verify_audit(path) == []
    assert len(list(read_audit(path))) == 20
