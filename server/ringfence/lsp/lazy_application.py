"""The application, made when it is first needed rather than before ``initialize``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from .application_port import Application, ApplicationFactory, Editor


class LazyApplication:
    """Makes and starts the application once, and closes it.

    Args:
        make: makes the application; it runs in a worker thread.
        editor: what the application may use of the editor.
        prepare: awaited with the started application before anybody else gets it.
    """

    def __init__(
        self,
        make: ApplicationFactory,
        editor: Editor,
        prepare: Callable[[Application], Awaitable[None]],
    ) -> None:
        self._make = make
        self._editor = editor
        self._prepare = prepare
        self._starting: asyncio.Task[Application] | None = None

    async def get(self) -> Application:
        """Return the application, ready for use.

        Raises:
            Exception: whatever went wrong when it was made; each call raises it again.
        """
        if self._starting is None:
            self._starting = asyncio.create_task(self._start())
        if self._starting.done():
            return self._starting.result()
        # One request that is cancelled must not cancel the start for all others.
        return await asyncio.shield(self._starting)

    def ready(self) -> Application | None:
        """Return the application if it is there already."""
        task = self._starting
        if task is None or not task.done() or task.cancelled() or task.exception():
            return None
        return task.result()

    async def aclose(self) -> None:
        """Close the application, if it was ever made."""
        if self._starting is None:
            return
        await asyncio.wait([self._starting])
        if application := self.ready():
            await application.aclose()

    async def _start(self) -> Application:
        application = await asyncio.to_thread(self._make, self._editor)
        try:
            await application.start()
            await self._prepare(application)
        except BaseException:
            await application.aclose()
            raise
        return application
