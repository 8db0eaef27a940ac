"""Limits of a container, which the operating system's own figures leave out."""

from pathlib import Path

import psutil
import pytest

from ringfence.engine.machine import examine

MB = 1024 * 1024


def write(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "cgroup"


def test_without_limits_the_machine_is_what_it_is(tmp_path: Path, own: Path) -> None:
    machine = examine(tmp_path / "none", own)

    assert machine.memory_total == psutil.virtual_memory().total
    assert machine.physical_cores >= 1
    assert machine.usable_processors >= 1


def test_the_strictest_group_above_this_process_counts(tmp_path: Path, own: Path) -> None:
    own.write_text("0::/slice/service\n")
    write(tmp_path / "slice", cpu__max="50000 100000", memory__max="max")
    write(
        tmp_path / "slice" / "service",
        cpu__max="max 100000",
        memory__max=str(512 * MB),
        memory__current=str(300 * MB),
        memory__stat=f"anon 1\ninactive_file {100 * MB}\n",
    )

    machine = examine(tmp_path, own)

    assert machine.usable_processors == 0.5
    assert machine.memory_total == 512 * MB
    assert machine.memory_available == 312 * MB


def test_version_1_groups_count_too(tmp_path: Path, own: Path) -> None:
    own.write_text("5:cpu,cpuacct:/box\n4:memory:/box\n3:pids:/box\n")
    write(tmp_path / "cpu,cpuacct" / "box", cpu__cfs_quota_us="25000", cpu__cfs_period_us="100000")
    write(
        tmp_path / "memory" / "box",
        memory__limit_in_bytes=str(256 * MB),
        memory__usage_in_bytes=str(56 * MB),
    )

    machine = examine(tmp_path, own)

    assert machine.usable_processors == 0.25
    assert machine.memory_total == 256 * MB
    assert machine.memory_available == 200 * MB


def test_files_that_make_no_sense_are_no_limits(tmp_path: Path, own: Path) -> None:
    own.write_text("nonsense\n0::/\n")
    write(tmp_path, cpu__max="-1 0", memory__max="lots")

    machine = examine(tmp_path, own)

    assert machine.memory_total == psutil.virtual_memory().total
