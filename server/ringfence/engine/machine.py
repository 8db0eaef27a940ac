"""What this machine has, as far as this process may use it.

A container's limits count, not the host's size: ``psutil`` knows nothing of cgroups.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Machine:
    """Processors and memory.

    Attributes:
        physical_cores: cores, hardware threads not counted.
        usable_processors: processors this process may use at a time, by affinity and
            quota; can be a fraction.
        memory_total: bytes of memory, or the container's limit.
        memory_available: bytes that can be had without swapping.
        unified_gpu: whether the engine computes on a GPU that shares this memory, as on
            Apple silicon.
    """

    physical_cores: int
    usable_processors: float
    memory_total: int
    memory_available: int
    unified_gpu: bool = False


def examine(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> Machine:
    """Measure this machine."""
    memory = psutil.virtual_memory()
    processors = float(_affinity())
    total, available = memory.total, memory.available
    for folder in _cgroup_folders(cgroups, own_cgroup):
        quota = _cpu_quota(folder)
        if quota is not None:
            processors = min(processors, quota)
        limit, used = _memory_limit(folder)
        if limit is not None and limit < memory.total:
            total = min(total, limit)
            available = min(available, max(0, limit - used))
    return Machine(
        physical_cores=psutil.cpu_count(logical=False) or _affinity(),
        usable_processors=processors,
        memory_total=total,
        memory_available=available,
        unified_gpu=_is_apple_silicon(),
    )


def _affinity() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _is_apple_silicon() -> bool:
    import platform

    return platform.system() == "Darwin" and platform.machine() == "arm64"


def _cgroup_folders(cgroups: Path, own_cgroup: Path) -> Iterator[Path]:
    """Yield the folders whose limits hold here: this process's groups and all above them."""
    try:
        lines = own_cgroup.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, name = [*line.split(":", 2), "", ""][:3]
        root = cgroups
        if controllers:  # version 1 has a tree for each controller
            if not {"cpu", "memory"} & set(controllers.split(",")):
                continue
            root = cgroups / controllers
        group = Path(name.lstrip("/"))
        for part in (group, *group.parents):
            yield root / part


def _cpu_quota(folder: Path) -> float | None:
    fields = _words(folder / "cpu.max")
    if len(fields) == 2:
        return _ratio(fields[0], fields[1])
    quota, period = _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us")
    return _ratio(quota[0], period[0]) if quota and period else None


def _memory_limit(folder: Path) -> tuple[int | None, int]:
    """Return the limit in bytes and what is used of it and cannot be dropped."""
    for limit_file, usage_file, cache_key in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        limit = _words(folder / limit_file)
        if not limit or not limit[0].isdigit():
            continue
        usage = _words(folder / usage_file)
        used = int(usage[0]) if usage and usage[0].isdigit() else 0
        statistics = _words(folder / "memory.stat")
        counted = dict(zip(statistics[::2], statistics[1::2], strict=False))
        return int(limit[0]), max(0, used - int(counted.get(cache_key, "0")))
    return None, 0


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []


def _ratio(quota: str, period: str) -> float | None:
    if not (quota.isdigit() and period.isdigit()) or int(period) == 0 or int(quota) == 0:
        return None
    return int(quota) / int(period)
