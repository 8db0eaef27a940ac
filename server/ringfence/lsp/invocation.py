"""Calling a handler, whatever kind of function it is, inside the caller's own task.

Everything is awaited in one chain, so that cancelling the task of a request reaches the
handler at the bottom of it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Generator, Mapping
from typing import Any

from pygls.feature_manager import is_thread_function


async def invoke(
    handler: Callable[..., Any],
    args: tuple[Any, ...] = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Call ``handler`` and return its result.

    A generator handler yields the calls it wants made, as those built into pygls do.
    """
    kwargs = kwargs or {}
    if is_thread_function(handler):  # type: ignore[no-untyped-call]
        return await asyncio.to_thread(handler, *args, **kwargs)
    result = handler(*args, **kwargs)
    if inspect.isgenerator(result):
        return await _drive(result)
    if inspect.isawaitable(result):
        return await result
    return result


async def _drive(generator: Generator[Any, Any, Any]) -> Any:
    value = None
    try:
        while True:
            handler, args, kwargs = generator.send(value)
            value = await invoke(handler, args, kwargs)
    except StopIteration as stop:
        return stop.value
    finally:
        generator.close()
