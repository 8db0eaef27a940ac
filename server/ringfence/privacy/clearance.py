"""Labels that travel with text: fragments, their sources, and what they add up to."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from .zones import Zone


class SourceKind(enum.StrEnum):
    """What a piece of a prompt is, for the audit log and for choosing what to drop."""

    DOCUMENT = "document"
    NEIGHBOUR = "neighbour"
    RECENT_EDIT = "recent edit"
    SYMBOL = "symbol"
    DIAGNOSTIC = "diagnostic"
    DIFF = "diff"
    CLIPBOARD = "clipboard"
    ANSWER = "previous answer"
    INSTRUCTION = "instruction"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a piece of text came from, and how far it may travel.

    Attributes:
        kind: what the text is.
        allow: the farthest zone the text may reach.
        folder: the workspace folder whose policy applies, as an absolute path;
            None for text that belongs to no folder.
        file: the file's path relative to its folder, for the audit log; None
            for text that is in no file.
        redact: whether secrets in the text are masked before it leaves the device.
    """

    kind: SourceKind
    allow: Zone = Zone.DEVICE
    folder: str | None = None
    file: str | None = None
    redact: bool = True


#: Text that Ringfence itself wrote (prompt templates): it may go anywhere.
TEMPLATE = Source(SourceKind.TEMPLATE, allow=Zone.CLOUD, redact=False)


@dataclass(frozen=True, slots=True)
class Fragment:
    """A piece of text with the label that says how far it may travel."""

    text: str
    source: Source


@dataclass(frozen=True, slots=True)
class Clearance:
    """The strictest of the labels of everything that one request carries.

    Attributes:
        zone: the farthest zone the request may be sent to.
        folders: the workspace folders that the text came from, sorted.
        files: the files that the text came from, relative to their folders, sorted.
        redact: whether secrets are masked before the request leaves the device.
    """

    zone: Zone
    folders: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    redact: bool = True

    @classmethod
    def of(cls, fragments: Iterable[Fragment]) -> Clearance:
        """Add up the labels of ``fragments``.

        No fragments at all give the strictest clearance: an empty list is more
        likely a mistake than a request that may go anywhere.
        """
        sources = [fragment.source for fragment in fragments]
        return cls(
            zone=min((source.allow for source in sources), default=Zone.DEVICE),
            folders=tuple(sorted({source.folder for source in sources if source.folder})),
            files=tuple(sorted({source.file for source in sources if source.file})),
            redact=any(source.redact for source in sources),
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """What every outgoing request carries, so that the gate can judge and log it.

    Attributes:
        clearance: how far the text inside may travel; None for a request with no
            workspace text (a health probe, a model list, a model download).
        purpose: what the request is for, in a few words ("inline completion", "probe").
        backend: the configured name of the backend.
        model: the model that is asked, if any.
        served_from: where that model is really computed, when that is farther than
            the endpoint's own zone (an Ollama cloud model behind a loopback address).
    """

    clearance: Clearance | None
    purpose: str
    backend: str
    model: str | None = None
    served_from: Zone | None = None


#: The key of the manifest in a request's ``extensions``.
MANIFEST = "ringfence_manifest"
