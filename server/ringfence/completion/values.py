"""What a completion is asked with and what it answers."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ringfence.context.document import DocumentSnapshot, Position
from ringfence.privacy import Source, Zone


class Trigger(enum.Enum):
    """Whether the user asked, or typing did."""

    INVOKED = "invoked"
    AUTOMATIC = "automatic"


@dataclass(frozen=True, slots=True)
class SelectedItem:
    """The entry that is selected in the editor's own completion list.

    A completion must then replace ``start``..``end`` and extend ``text``.
    """

    start: Position
    end: Position
    text: str


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A cursor in a document, as it was when the request arrived.

    Attributes:
        source: the document's label: its policy, folder and file.
        excluded: why the document is used in no prompt; None when it is.
        count: how many candidates are wanted (cycling).
    """

    document: DocumentSnapshot
    cursor: Position
    trigger: Trigger
    source: Source
    excluded: str | None = None
    selected: SelectedItem | None = None
    count: int = 1


class EmptyReason(enum.StrEnum):
    """Why no completion is shown. Never silent: each empty answer has one."""

    DISABLED = "disabled"
    EXCLUDED = "excluded"
    SUPPRESSED = "suppressed"
    CANCELLED = "cancelled"
    STALE = "stale"
    NO_ROUTE = "no-route"
    NO_FIM = "no-fim"
    NO_MODEL = "no-model"
    UNREACHABLE = "unreachable"
    OVERLOADED = "overloaded"
    DEADLINE = "deadline"
    BLOCKED = "blocked"
    FILTERED = "filtered"
    NOTHING = "nothing"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One completion.

    Attributes:
        text: what to insert, from ``start`` on; it begins with the text that stands
            between ``start`` and the cursor.
        start: where the replaced range begins, on the cursor's line.
        end: where it ends, on the cursor's line, at or after the cursor.
    """

    text: str
    start: Position
    end: Position


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds, measured from the arrival of the request; None where it never came."""

    first_token: float | None
    total: float


@dataclass(frozen=True, slots=True)
class CompletionAnswer:
    """Candidates, or the reason why there are none.

    Attributes:
        id: names this answer in acceptance reports.
        detail: the reason in a sentence a user can act on; empty when there are candidates.
        backend: who served it.
        zone: where it was computed.
        cached: whether it was answered without asking a model.
    """

    id: str
    candidates: tuple[Candidate, ...]
    timing: Timing
    reason: EmptyReason | None = None
    detail: str = ""
    backend: str | None = None
    model: str | None = None
    zone: Zone | None = None
    cached: bool = False
