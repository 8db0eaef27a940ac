"""Watches the client's process: a server whose editor was killed ends by itself."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

logger = logging.getLogger(__name__)

#: Time between two looks, in seconds.
INTERVAL = 3.0


async def wait_until_gone(process_id: int, interval: float = INTERVAL) -> bool:
    """Return when a process has ended.

    Returns:
        False, at once, when there is no such process to begin with: the client then runs
        on another machine or in another container, and its pipes tell when it leaves.
    """
    was_there = _is_there(process_id)
    is_running = await asyncio.to_thread(_observe, process_id)
    if is_running is None and was_there:
        return True
    if is_running is None:
        logger.debug("The editor's process is not one of this machine.")
        return False
    logger.debug("Watching the editor's process.")
    while await asyncio.to_thread(is_running):  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(interval)
    return True


def _is_there(process_id: int) -> bool:
    """Tell at once whether a process exists, before anything slow; False where one cannot."""
    if os.name == "nt" or process_id <= 0:
        # Windows would end the process; zero and less stand for whole groups.
        return False
    try:
        os.kill(process_id, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _observe(process_id: int) -> Callable[[], bool] | None:
    import psutil

    try:
        process = psutil.Process(process_id)
    except (psutil.Error, ValueError):
        return None

    def is_running() -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    return is_running
