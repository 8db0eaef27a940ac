"""What ``ringfence doctor`` asks of the embedded engine and of the configured servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .checks import Check, Health
from .output import gigabytes

if TYPE_CHECKING:
    from ringfence.application import Application
    from ringfence.backends.protocol import Backend
    from ringfence.backends.values import Model
    from ringfence.engine.client import Engine
    from ringfence.engine.status import EngineStatus

#: Lines of the engine's log that are shown when it failed.
_LOG_LINES = 8

#: Models of a server that are named.
_MOST_NAMED = 6

#: Seconds that a server's list of models may take.
_LIST_SECONDS = 10.0


async def check_models(application: Application) -> list[Check]:
    """Look at every server and at the engine, which is needed when no server completes."""
    from ringfence.backends.embedded import Embedded

    servers = [b for b in application.backends if not isinstance(b, Embedded)]
    timeout = application.settings.health.timeout_ms / 1000
    asked = await asyncio.gather(*(_check_backend(server, timeout) for server in servers))
    checks = [check for check, _ in asked]
    checks += _unused(application)
    completes = any(check.details.get("completes") for check, _ in asked)
    return checks + await _check_engine(application, needed=not completes)


async def _check_backend(backend: Backend, timeout: float) -> tuple[Check, tuple[Model, ...]]:
    from ringfence.backends.errors import BackendError

    details: dict[str, Any] = {"backend": backend.name, "zone": backend.zone.label}
    topic = f"backend {backend.name}"
    started = time.perf_counter()
    try:
        async with asyncio.timeout(timeout):
            await backend.probe()
        details["probe_ms"] = round((time.perf_counter() - started) * 1000)
        async with asyncio.timeout(_LIST_SECONDS):
            models = await backend.models()
    except BackendError as error:
        details |= {"kind": backend.kind, "reason": error.code}
        return Check(topic, "fail", _clause(str(error)), details=details), ()
    except TimeoutError:
        message = f"does not answer within {timeout:g} s"
        remedy = "start it, mend its url, or raise health.timeout_ms"
        details |= {"kind": backend.kind, "reason": "timeout"}
        return Check(topic, "fail", message, remedy, details), ()
    details |= {
        "kind": backend.kind,
        "completes": any(model.fills_in_the_middle for model in models),
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
            for model in models
        ],
    }
    return _judge(topic, backend, models, details), models


def _judge(
    topic: str, backend: Backend, models: tuple[Model, ...], details: dict[str, Any]
) -> Check:
    answered = f"{backend.kind}, {backend.zone.label}, answers in {details['probe_ms']} ms"
    if not models:
        return Check(topic, "warn", f"{answered}, with no model", "load or pull a model", details)
    named = ", ".join(model.id for model in models[:_MOST_NAMED])
    more = f" and {len(models) - _MOST_NAMED} more" if len(models) > _MOST_NAMED else ""
    message = f"{answered}; models: {named}{more}"
    surprises = [words for model in models for words in model.contradictions]
    surprises += [
        f"{model.id} is computed in the zone {model.zone.label} ({model.locality})"
        for model in models
        if model.zone > backend.zone
    ]
    if surprises:
        return Check(topic, "warn", message, "", details, tuple(surprises))
    return Check(topic, "ok", message, "", details)


def _unused(application: Application) -> Iterator[Check]:
    """Say which configured servers are not used at all, and why."""
    used = {backend.name for backend in application.backends}
    ceiling = application.gate.ceiling
    for settings in application.settings.backends:
        if settings.name in used:
            continue
        details = {"backend": settings.name, "zone": settings.zone.label}
        if settings.zone > ceiling:
            message = f"not used: no workspace allows {settings.zone.label}"
            remedy = f"to use it, add a folder with allow: {settings.zone.label} under workspaces"
            yield Check(f"backend {settings.name}", "warn", message, remedy, details)
        else:
            message, remedy = "not used: its settings are not complete", "give it a url"
            yield Check(f"backend {settings.name}", "fail", message, remedy, details)


async def _check_engine(application: Application, *, needed: bool) -> list[Check]:
    from ringfence.engine.errors import EngineError
    from ringfence.engine.starter import require_engine

    if not application.settings.engine.enabled:
        health: Health = "fail" if needed else "ok"
        remedy = "set engine.enabled, or add a server that can complete" if needed else ""
        return [Check("engine", health, "switched off in the configuration", remedy)]
    broken: Health = "fail" if needed else "warn"
    checks = [_describe(status) for status in await application.engine.status()]
    try:
        require_engine()
        checks.insert(0, await _check_choice(application.engine, broken))
    except EngineError as error:
        checks.insert(0, Check("engine", broken, _clause(str(error)), details={"code": error.code}))
    if not needed:
        # A server completes: what is wrong with the engine is worth knowing, no more.
        checks = [replace(c, health="warn") if c.health == "fail" else c for c in checks]
    return checks


async def _check_choice(engine: Engine, broken: Health) -> Check:
    choice = await engine.choose_model()
    details = {"model": choice.card.id, "installed": choice.installed is not None}
    if choice.installed is None:
        message = f"installed, without a model ({choice.card.id} is wanted: {choice.reason})"
        remedy = f"ringfence models pull {choice.card.id}"
        return Check("engine", broken, message, remedy, details)
    size = gigabytes(choice.installed.size_bytes)
    message = f"installed, with {choice.card.id} ({size}; {choice.reason})"
    if choice.card.fim is None:
        remedy = "choose a model that fills in the middle: ringfence models list"
        return Check("engine", "warn", f"{message}, which cannot complete", remedy, details)
    return Check("engine", "ok", message, "", details)


def _describe(status: EngineStatus) -> Check:
    from ringfence.engine.log import tail

    details = {
        "status": status.status,
        "running": status.running,
        "model": status.model,
        "pid": status.pid,
        "context": status.context,
        "threads": status.threads,
        "memory_bytes": status.memory_bytes,
        "restarts": status.restarts,
        "uptime_seconds": round(status.uptime_seconds),
        "users": status.users,
        "reason": status.reason or None,
        "log": str(status.log),
    }
    if not status.running:
        lines = tuple(tail(status.log, _LOG_LINES))
        message = f"the last engine for {status.model} failed: {_clause(status.reason)}"
        remedy = "it is tried again at the next completion; its log:"
        return Check("engine", "warn", message, remedy, details | {"log_tail": lines}, lines)
    message = (
        f"{status.status} with {status.model}, {gigabytes(status.memory_bytes)} of memory, "
        f"{status.threads} threads, {status.context} tokens of context"
    )
    if status.restarts:
        lines = tuple(tail(status.log, _LOG_LINES))
        message += f", restarted {status.restarts} times ({_clause(status.reason)})"
        remedy = f"the end of {status.log}:"
        return Check("engine", "warn", message, remedy, details | {"log_tail": lines}, lines)
    return Check("engine", "ok", message, "", details)


def _clause(sentence: str) -> str:
    return sentence.rstrip(".")
