"""How much memory models may use on this device."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ringfence.engine.machine import Machine, examine

from .fit import gigabytes

#: What is kept free for the editor and everything else: this share, and at least this much.
RESERVE_SHARE = 0.1
LEAST_RESERVE_BYTES = 1024**3

#: Apple silicon lends its GPU about this share of the memory.
UNIFIED_GPU_SHARE = 0.7

#: Seconds between two measurements of the memory.
MEASUREMENT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Room:
    """Memory for models on this device.

    Attributes:
        bytes: what further models may use.
        why: how that was computed, in a sentence.
    """

    bytes: int
    why: str


def room_for_models(machine: Machine, gpu_bytes: int = 0, limit_gb: float | None = None) -> Room:
    """Return what models may use.

    Args:
        machine: the memory of this machine, container limits included.
        gpu_bytes: free memory of discrete GPUs, which a server adds to the machine's.
        limit_gb: the user's own limit in GB of 10⁹ bytes, if any; it is taken as it is.
    """
    if limit_gb is not None:
        size = round(limit_gb * 1e9)
        return Room(size, f"`memory.limit_gb` allows {gigabytes(size)}.")
    reserve = max(LEAST_RESERVE_BYTES, round(machine.memory_total * RESERVE_SHARE))
    size = max(0, machine.memory_available - reserve)
    why = (
        f"{gigabytes(machine.memory_available)} of {gigabytes(machine.memory_total)} are free, "
        f"and {gigabytes(reserve)} are kept for the rest"
    )
    if machine.unified_gpu:
        size = min(size, round(machine.memory_total * UNIFIED_GPU_SHARE))
        why += f"; the GPU takes {UNIFIED_GPU_SHARE:.0%} of the memory at most"
    if gpu_bytes:
        size += gpu_bytes
        why += f"; the GPU has {gigabytes(gpu_bytes)} free"
    return Room(size, f"{why}.")


def free_gpu_bytes(load: Callable[[str], Any] = ctypes.CDLL) -> int:
    """Return the free memory of all NVIDIA GPUs; 0 where there are none.

    NVIDIA's management library comes with its driver, so it is asked directly.

    Args:
        load: loads a shared library by name; replaced in tests.
    """
    for name in ("libnvidia-ml.so.1", "nvml.dll"):
        try:
            return _ask_nvml(load(name))
        except (OSError, AttributeError):
            continue
    return 0


class MemoryWatch:
    """The room for models, measured in the background.

    Args:
        limit_gb: the user's own limit, if any.
        measure: returns the machine and the GPUs' free memory; it may take half a second
            where there is a GPU. Replaced in tests.
    """

    def __init__(
        self,
        limit_gb: float | None = None,
        measure: Callable[[], tuple[Machine, int]] = lambda: (examine(), free_gpu_bytes()),
    ) -> None:
        self._limit_gb = limit_gb
        self._measure = measure
        self._room: Room | None = None

    @property
    def room(self) -> Room | None:
        """The room at the last measurement; None before the first."""
        return self._room

    async def refresh(self) -> Room:
        """Measure now, in a thread."""
        machine, gpu_bytes = await asyncio.to_thread(self._measure)
        self._room = room_for_models(machine, gpu_bytes, self._limit_gb)
        return self._room


class _Memory(ctypes.Structure):
    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


def _ask_nvml(library: Any) -> int:
    if library.nvmlInit_v2() != 0:
        return 0
    try:
        count = ctypes.c_uint()
        if library.nvmlDeviceGetCount_v2(ctypes.byref(count)) != 0:
            return 0
        total = 0
        for index in range(count.value):
            device, memory = ctypes.c_void_p(), _Memory()
            if library.nvmlDeviceGetHandleByIndex_v2(index, ctypes.byref(device)) != 0:
                continue
            if library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(memory)) == 0:
                total += memory.free
        return total
    finally:
        library.nvmlShutdown()
