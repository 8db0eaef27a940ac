"""What the editor side asks of the application, and what it offers to it.

The application is put together elsewhere, from parts that know no editor; tests put a
scripted one in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from ringfence.context.document import DocumentSnapshot

if TYPE_CHECKING:
    from ringfence.completion.values import CompletionAnswer, CompletionRequest
    from ringfence.privacy import Source, SourceKind, Zone

Severity: TypeAlias = Literal["error", "warning", "info"]
FallbackSetting: TypeAlias = Literal["auto", "on", "off"]


class Verdict(Protocol):
    """What the ring says of one document."""

    @property
    def excluded(self) -> str | None:
        """Why the document is used in no prompt; None when it is."""
        ...


class Ring(Protocol):
    """The policies of the workspace folders."""

    def verdict(self, uri: str) -> Verdict:
        """Judge a document by its URI."""
        ...

    def source(self, uri: str, kind: SourceKind) -> Source:
        """Label text that comes from a document."""
        ...

    def set_folders(self, folders: Sequence[str]) -> None:
        """Take the URIs of the workspace folders that are open now."""
        ...

    def set_editor_setting(self, folder: str, allow: Zone | None) -> None:
        """Take the editor's own limit for one folder; None when it sets none."""
        ...


class Application(Protocol):
    """One user's models, ring and caches, for one connected editor."""

    @property
    def ring(self) -> Ring:
        """The policies of the workspace folders."""
        ...

    @property
    def completion_fallback(self) -> FallbackSetting:
        """Whether completions are also offered as ``textDocument/completion``."""
        ...

    async def start(self) -> None:
        """Get ready, quickly; slow work goes on in the background."""
        ...

    async def aclose(self) -> None:
        """Stop all work and release what is held."""
        ...

    async def complete(self, request: CompletionRequest) -> CompletionAnswer:
        """Complete at a cursor. Cancelling the task stops the generation at the server."""
        ...

    def shown(self, answer_id: str, index: int) -> None:
        """Note that the editor showed a candidate."""
        ...

    def accepted(self, answer_id: str, index: int, characters: int | None = None) -> None:
        """Note that the user took a candidate.

        Args:
            answer_id: which answer it came with.
            index: which of its candidates.
            characters: how much of it was taken, in UTF-16 units; None for all.
        """
        ...

    def status(self) -> dict[str, Any]:
        """Return what goes on, as JSON: routes, health, the last empty answers' reasons."""
        ...


class PolicyChange(Protocol):
    """Another policy for a folder."""

    @property
    def folder(self) -> Path:
        """The folder."""
        ...

    @property
    def before(self) -> Zone:
        """The farthest zone its code may reach now."""
        ...

    @property
    def after(self) -> Zone:
        """The farthest zone that is asked for."""
        ...

    @property
    def loosens(self) -> bool:
        """Whether code may then travel farther."""
        ...


class Governing(Protocol):
    """The part of an application that changes policies and explains decisions."""

    def plan_policy(self, uri: str, allow: Zone) -> PolicyChange | None:
        """Return what changing a folder's policy comes to; None where there is no folder."""
        ...

    async def change_policy(self, change: Any) -> str:
        """Write a planned policy and hold to it at once; returns what the user should know."""
        ...

    async def explain_route(
        self, uri: str | None, kind: Any, prompt_tokens: int, tools: int
    ) -> dict[str, Any]:
        """Return which model would do a task, and why."""
        ...


class Editor(Protocol):
    """What the application may use of the editor; every method may be called from any thread."""

    def show_once(self, kind: str, message: str, severity: Severity = "error") -> None:
        """Show the user one sentence, unless one of the same ``kind`` was shown before."""
        ...

    def documents(self) -> tuple[DocumentSnapshot, ...]:
        """Return the open documents as they are now."""
        ...


#: Makes the application of one connection. It is called in a worker thread, so that its
#: imports delay no answer; ``Application.start`` is then awaited on the event loop.
ApplicationFactory: TypeAlias = Callable[[Editor], Application]
