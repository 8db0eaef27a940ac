"""The composition root: wires the parts from the settings and owns their lifetimes.

It knows no editor and no terminal; ``lsp`` and ``cli`` use it through what it is given.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ringfence.backends.create import create_backend
from ringfence.backends.embedded import Embedded
from ringfence.backends.protocol import Backend
from ringfence.completion.service import CompletionService
from ringfence.completion.values import CompletionAnswer, CompletionRequest, EmptyReason
from ringfence.config.edit import set_workspace_policy
from ringfence.config.load import load_settings
from ringfence.config.rules import folder_rules
from ringfence.config.settings import BackendKind, Settings
from ringfence.engine.client import Engine
from ringfence.engine.directories import EngineDirectories
from ringfence.privacy import AuditLog, Gate, GateRefusal, Ring, Zone
from ringfence.privacy.places import path_of
from ringfence.routing.service import Routing
from ringfence.routing.task import Task, TaskKind
from ringfence.telemetry.outcomes import OK, Outcome, Outcomes, Stage

if TYPE_CHECKING:
    from ringfence.config.load import Loaded
    from ringfence.config.locate import Directories

logger = logging.getLogger(__name__)

Severity = Literal["error", "warning", "info"]
Notify = Callable[[str, str, Severity], None]

#: The name of the embedded engine among the backends.
ENGINE = "engine"

#: Answers, and calls of models, that ``status`` shows.
_SHOWN = 20

#: Reasons that a user can do something about; the first of each kind is shown.
_WORTH_TELLING = frozenset(
    {
        EmptyReason.NO_ROUTE,
        EmptyReason.NO_FIM,
        EmptyReason.NO_MODEL,
        EmptyReason.UNREACHABLE,
        EmptyReason.BLOCKED,
    }
)


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """Another policy for a folder.

    Attributes:
        before: the farthest zone its code may reach now.
        after: the farthest zone that is asked for.
    """

    folder: Path
    before: Zone
    after: Zone

    @property
    def loosens(self) -> bool:
        """Whether code may then travel farther, which is the user's to say."""
        return self.after > self.before


class Application:
    """One user's models, ring and caches.

    Args:
        loaded: the configuration and what is wrong with it.
        directories: where files are kept.
        notify: shows the user a sentence: its kind, its text and how bad it is. Of each
            kind only the first is shown.
    """

    def __init__(self, loaded: Loaded, directories: Directories, notify: Notify) -> None:
        self.settings = loaded.settings
        self.ring = _ring(loaded.settings)
        self.outcomes = Outcomes()
        self.gate = Gate(
            ceiling=_farthest(loaded.settings), audit=AuditLog(directories.state / "audit.jsonl")
        )
        self.engine = make_engine(loaded.settings, directories, self.gate)
        self.backends = _backends(loaded.settings, self.gate, self.engine, notify)
        self.routing = Routing(
            self.backends,
            loaded.settings,
            self.outcomes,
            notify=lambda line: notify("fallback", line, "info"),
        )
        self.completion = CompletionService(self.routing, loaded.settings.completion)
        self.ring.on_tightened(self.completion.forget)
        self.ring.on_tightened(self.gate.abort)
        self._loaded = loaded
        self._notify = notify
        self._running: asyncio.Task[None] | None = None

    @property
    def completion_fallback(self) -> Literal["auto", "on", "off"]:
        """Whether completions are also offered as ``textDocument/completion``."""
        return self.settings.completion.completion_fallback

    async def start(self) -> None:
        """Begin to watch the backends, and say what is wrong with the configuration."""
        for problem in self._loaded.problems:
            self._notify(f"configuration:{problem.line}", problem.message, problem.severity)
        self._running = asyncio.create_task(self.routing.run())

    async def aclose(self) -> None:
        """Stop all work and release what is held."""
        if self._running is not None:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running
        for backend in self.backends:
            await backend.aclose()

    async def complete(self, request: CompletionRequest) -> CompletionAnswer:
        """Complete at a cursor, and note how it ended."""
        started = time.perf_counter()
        try:
            answer = await self.completion.complete(request)
        except asyncio.CancelledError:
            elapsed = (time.perf_counter() - started) * 1000
            self._record(request, EmptyReason.CANCELLED, total_ms=elapsed)
            raise
        self._note(request, answer)
        return answer

    def shown(self, answer_id: str, index: int) -> None:
        """Note that the editor showed a candidate."""
        logger.debug("%s: candidate %d was shown.", answer_id, index)

    def accepted(self, answer_id: str, index: int, characters: int | None = None) -> None:
        """Note that the user took a candidate, or ``characters`` of it."""
        part = "all" if characters is None else f"{characters} characters"
        logger.debug("%s: %s of candidate %d was accepted.", answer_id, part, index)

    def plan_policy(self, uri: str, allow: Zone) -> PolicyChange | None:
        """Return what changing a folder's policy comes to; None where there is no folder.

        Args:
            uri: the folder, or a document in it.
            allow: the farthest zone that its code may then reach.
        """
        path = path_of(uri)
        if path is None:
            return None
        folder = path if path.is_dir() else Path(self.ring.verdict(uri).folder or path.parent)
        before = self.ring.verdict(f"{folder.as_uri()}/x").policy.allow
        return PolicyChange(folder, before, allow)

    async def change_policy(self, change: PolicyChange) -> str:
        """Write a policy to the user's own configuration and hold to it at once.

        Returns:
            What the user should know, in a sentence; empty for nothing.

        Raises:
            ConfigNotEdited: when the configuration could not be written; nothing changed.
        """
        await asyncio.to_thread(
            set_workspace_policy, self._loaded.path, change.folder, change.after
        )
        loaded = await asyncio.to_thread(load_settings, self._loaded.path)
        self.ring.set_rules(folder_rules(loaded.settings))
        if change.after > self.gate.ceiling:
            return "Restart the language server: it was started without any way that far."
        return ""

    async def explain_route(
        self, uri: str | None, kind: TaskKind, prompt_tokens: int, tools: int
    ) -> dict[str, Any]:
        """Return which model would do a task for a document, and why; nothing is sent."""
        allow = Zone.DEVICE if uri is None else self.ring.verdict(uri).policy.allow
        value, text = await self.routing.explain(Task(kind, prompt_tokens, 1024, allow, tools))
        return {**value, "text": text}

    def status(self) -> dict[str, Any]:
        """Return what goes on, as JSON: backends, their models, and the last answers."""
        view = self.routing.catalogue.view
        return {
            "config": {
                "path": str(self._loaded.path),
                "exists": self._loaded.exists,
                "problems": [problem.message for problem in self._loaded.problems],
            },
            "backends": [
                {
                    "name": listing.backend,
                    "zone": listing.zone.label,
                    "failure": listing.failure or None,
                    "models": [
                        {
                            "id": model.id,
                            "zone": model.zone.label,
                            "locality": model.locality,
                            "quantization": model.quantization,
                            "context": model.context,
                            "fills_in_the_middle": model.fills_in_the_middle,
                            "contradictions": list(model.contradictions),
                        }
                        for model in listing.models
                    ],
                }
                for listing in view.listings
            ],
            "answers": self._last(Stage.ANSWER),
            "calls": self._last(Stage.CALL),
        }

    def _last(self, stage: Stage) -> list[dict[str, Any]]:
        recent = [outcome for outcome in self.outcomes.recent() if outcome.stage is stage]
        return [_plain(outcome) for outcome in recent[-_SHOWN:]]

    def _note(self, request: CompletionRequest, answer: CompletionAnswer) -> None:
        self._record(
            request,
            answer.reason,
            detail=answer.detail,
            total_ms=answer.timing.total,
            first_token_ms=answer.timing.first_token,
            backend=answer.backend,
            model=answer.model,
            zone=answer.zone,
            cached=answer.cached,
        )
        if answer.reason is None:
            return
        if answer.reason in _WORTH_TELLING:
            self._notify(f"completion:{answer.reason.value}", answer.detail, "warning")

    def _record(
        self,
        request: CompletionRequest,
        reason: EmptyReason | None,
        *,
        total_ms: float,
        detail: str = "",
        first_token_ms: float | None = None,
        backend: str | None = None,
        model: str | None = None,
        zone: Zone | None = None,
        cached: bool = False,
    ) -> None:
        self.outcomes.record(
            Outcome(
                time=time.time(),
                stage=Stage.ANSWER,
                purpose="inline completion",
                result=OK if reason is None else reason.value,
                total_ms=total_ms,
                detail=detail,
                file=request.source.file,
                backend=backend,
                model=model,
                zone=zone,
                first_token_ms=first_token_ms,
                cached=cached,
            )
        )


def make_engine(settings: Settings, directories: Directories, gate: Gate) -> Engine:
    """Return the embedded engine; nothing is started."""
    limit = settings.memory.limit_gb
    return Engine(
        settings.engine,
        EngineDirectories(models=directories.models, state=directories.state / "engine"),
        gate,
        None if limit is None else int(limit * 1e9),
    )


def _ring(settings: Settings) -> Ring:
    return Ring(
        folder_rules(settings),
        settings.privacy.never_send,
        redact_secrets=settings.privacy.redact_secrets,
    )


def _farthest(settings: Settings) -> Zone:
    """Return the farthest zone that any workspace allows: beyond it no client is ever made."""
    return max((workspace.allow for workspace in settings.workspaces), default=Zone.DEVICE)


def _backends(settings: Settings, gate: Gate, engine: Engine, notify: Notify) -> Sequence[Backend]:
    """Return the configured backends, and the embedded engine behind them."""
    backends: list[Backend] = []
    for configured in settings.backends:
        if configured.kind is BackendKind.ENGINE:
            backends.append(Embedded(gate, engine, configured.name))
            continue
        if configured.zone > gate.ceiling:
            logger.info(
                "%r is not used: no workspace allows %s.", configured.name, configured.zone.label
            )
            continue
        try:
            backends.append(
                create_backend(
                    configured, gate, keep_alive_minutes=settings.memory.keep_alive_minutes
                )
            )
        except (ValueError, GateRefusal) as error:
            notify(f"backend:{configured.name}", f"{error}.", "error")
    embedded = any(isinstance(backend, Embedded) for backend in backends)
    if settings.engine.enabled and not embedded:
        backends.append(Embedded(gate, engine, ENGINE))
    return tuple(backends)


def _plain(outcome: Outcome) -> dict[str, Any]:
    return {
        "time": outcome.time,
        "file": outcome.file,
        "result": outcome.result,
        "detail": outcome.detail or None,
        "backend": outcome.backend,
        "model": outcome.model,
        "zone": outcome.zone.label if outcome.zone is not None else None,
        "first_token_ms": outcome.first_token_ms,
        "total_ms": outcome.total_ms,
        "prompt_tokens": outcome.prompt_tokens,
        "cached_tokens": outcome.cached_tokens,
        "output_tokens": outcome.output_tokens,
        "cached": outcome.cached,
    }
