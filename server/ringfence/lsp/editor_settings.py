"""The ``ringfence`` section of the editor's settings, per folder, and the folders themselves."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from lsprotocol import types

from .application_port import Application, FallbackSetting

if TYPE_CHECKING:
    from ringfence.privacy import Zone

    from .session import Session

logger = logging.getLogger(__name__)

#: Time that the editor gets to answer ``workspace/configuration``, in seconds.
_ANSWER_SECONDS = 3.0

SECTION = "ringfence"


class EditorSettings:
    """What the editor says of each folder; requests wait until that is known.

    A folder whose settings cannot be read counts as limited to the device.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._initial: Any = None
        self._pushed: Any = None
        self._by_folder: dict[str, Any] = {}
        self._refresh: asyncio.Task[None] | None = None
        self._refresh_needed = False

    def take_initial(self, options: Any) -> None:
        """Take ``initializationOptions``, with or without the section's name around them."""
        self._initial = _section(options)

    def take_pushed(self, settings: Any) -> None:
        """Take settings that come with ``didChangeConfiguration``, and ask for the rest."""
        if isinstance(settings, dict) and SECTION in settings:
            self._pushed = settings[SECTION]
        self.invalidate()

    def invalidate(self) -> None:
        """Ask the editor again before the next request is served."""
        self._by_folder.clear()
        self._refresh_needed = True
        if application := self._session.application_if_ready():
            self._start_refresh(application)

    @property
    def completion_fallback(self) -> FallbackSetting:
        """What the editor says of ``textDocument/completion``; ``auto`` when nothing."""
        for settings in (*self._by_folder.values(), self._pushed, self._initial):
            match _read(settings, "completionFallback"):
                case "on":
                    return "on"
                case "off":
                    return "off"
        return "auto"

    async def apply(self, application: Application) -> None:
        """Give the application the folders and their limits."""
        self._refresh_needed = True
        while self._refresh_needed:
            self._refresh_needed = False
            folders = list(self._session.workspace.folders.values())
            uris = [folder.uri for folder in folders] or self._root()
            application.ring.set_folders(uris)
            self._by_folder = dict(zip(uris, await self._ask(uris), strict=True))
            for uri, answer in self._by_folder.items():
                application.ring.set_editor_setting(uri, self._limit(answer))

    async def current(self) -> None:
        """Wait until the application has the settings that hold now."""
        while self._refresh is not None and not self._refresh.done():
            await asyncio.shield(self._refresh)
        if self._refresh is not None:
            # Settings that failed to take effect must not be taken for those that hold.
            self._refresh.result()

    def _start_refresh(self, application: Application) -> None:
        if self._refresh is None or self._refresh.done():
            self._refresh = asyncio.create_task(self.apply(application))

    def _root(self) -> list[str]:
        root = self._session.workspace.root_uri
        return [root] if root else []

    def _limit(self, answer: Any) -> Zone | None:
        limits = [_zone(settings) for settings in (answer, self._pushed, self._initial) if settings]
        return min((limit for limit in limits if limit is not None), default=None)

    async def _ask(self, folders: list[str]) -> list[Any]:
        if not self._session.capabilities.configuration or not folders:
            return [None] * len(folders)
        items = [types.ConfigurationItem(scope_uri=uri, section=SECTION) for uri in folders]
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                answers = await self._session.server.workspace_configuration_async(
                    types.ConfigurationParams(items)
                )
        except Exception as error:
            logger.warning(
                "The editor did not give its settings (%s): code stays on the device.",
                type(error).__name__,
            )
            answers = [_UNREADABLE] * len(folders)
        if not isinstance(answers, list | tuple) or len(answers) != len(folders):
            return [_UNREADABLE] * len(folders)
        return list(answers)


#: Settings that cannot be read: whatever is asked of them, they are malformed.
_UNREADABLE = "unreadable"


def _section(options: Any) -> Any:
    if isinstance(options, dict) and isinstance(options.get(SECTION), dict):
        return options[SECTION]
    return options


def _read(settings: Any, name: str) -> Any:
    return settings.get(name) if isinstance(settings, dict) else None


def _zone(settings: Any) -> Zone | None:
    # Imported here because privacy brings the gate's HTTP client, which start-up can spare.
    from ringfence.privacy import Zone

    if not isinstance(settings, dict):
        return Zone.DEVICE
    word = settings.get("allow")
    if word is None:
        return None
    try:
        return Zone.parse(word)
    except (ValueError, AttributeError):
        return Zone.DEVICE
