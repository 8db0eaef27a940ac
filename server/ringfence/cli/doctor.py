"""``ringfence doctor``: is everything in order, and what to do if not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import typer

from .checks import Check
from .output import DONE, REFUSED, JsonOption, bold, show

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog="Example: ringfence doctor")
def doctor(as_json: JsonOption = False) -> int:
    """Check everything and say what to do.

    It looks at the configuration, the model servers, the engine and this machine. Servers
    are asked for their health and their models; no code is sent. The exit code is 1 when
    something that is needed is broken.
    """
    checks = asyncio.run(_check_all())
    healthy = all(check.health != "fail" for check in checks)
    result = {"healthy": healthy, "checks": [check.as_json() for check in checks]}
    show(as_json, result, lambda: _text(checks, healthy=healthy))
    return DONE if healthy else REFUSED


async def _check_all() -> list[Check]:
    from ringfence.application import Application
    from ringfence.config.load import load_settings
    from ringfence.config.locate import find_directories

    from . import checks as local
    from .checks_models import check_models

    loaded, directories = load_settings(), find_directories()
    application = Application(loaded, directories, lambda kind, text, severity: None)
    found = [
        *local.check_versions(),
        *local.check_configuration(loaded),
        *local.check_folders(directories),
        *local.check_machine(directories.models),
        *local.check_policy(application.ring, Path.cwd()),
        *local.check_audit(directories.audit_log),
    ]
    try:
        return [*found, *await check_models(application)]
    finally:
        await application.aclose()


def _text(checks: list[Check], *, healthy: bool) -> str:
    width = max(len(check.topic) for check in checks)
    lines = []
    for check in checks:
        lines.append(f"{check.health:<5} {bold(check.topic.ljust(width))}  {check.message}")
        margin = " " * (width + 8)
        if check.remedy:
            lines.append(f"{margin}→ {check.remedy}")
        lines += [f"{margin}  {line}" for line in check.lines]
    lines.append("")
    warnings = sum(check.health == "warn" for check in checks)
    if not healthy:
        lines.append("Something that is needed is broken: see the lines that begin with fail.")
    elif warnings:
        lines.append("All that is needed works; see the lines that begin with warn.")
    else:
        lines.append("Everything is in order.")
    return "\n".join(lines)
