"""``ringfence audit``: what left this device, and proof that the list is whole."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from .output import DONE, REFUSED, Failure, JsonOption, say, show, table

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog="Example: ringfence audit --refused --last 10")
def audit(
    refused: Annotated[
        bool, typer.Option("--refused", help="Only requests that were refused.")
    ] = False,
    backend: Annotated[str, typer.Option(help="Only requests of this backend.")] = "",
    zone: Annotated[str, typer.Option(help="Only requests to this zone.")] = "",
    last: Annotated[int, typer.Option(help="Only the last N; 0 for all.", min=0)] = 0,
    as_json: JsonOption = False,
) -> int:
    """List what left this device, and what was refused.

    The list holds sizes, names and digests, no code. Its chain is verified each time; the
    exit code is 1 when an entry was changed, removed or damaged.
    """
    from ringfence.config.locate import find_directories
    from ringfence.privacy import read_audit, verify_audit

    path = find_directories().audit_log
    try:
        entries = list(read_audit(path))
        problems = verify_audit(path)
    except OSError as error:
        words = (error.strerror or type(error).__name__).lower()
        raise Failure("unreadable", f"{path} cannot be read: {words}") from error
    entries = [
        entry
        for entry in entries
        if (not refused or entry.get("refused"))
        and (not backend or entry.get("backend") == backend)
        and (not zone or entry.get("zone") == zone)
    ]
    entries = entries[-last:] if last else entries
    result: dict[str, Any] = {
        "path": str(path),
        "entries": entries,
        "whole": not problems,
        "problems": problems,
    }
    if problems:
        result["error"] = {"code": "audit-broken", "message": problems[0]}
    show(as_json, result, lambda: _text(entries))
    if not as_json:
        for problem in problems:
            say(f"ringfence: the audit log is not whole: {problem}")
    return REFUSED if problems else DONE


def _text(entries: list[dict[str, Any]]) -> str:
    if not entries:
        return "Nothing left this device."
    heading = ("time", "zone", "backend", "model", "bytes", "files", "what for", "refused")
    return table([_row(entry) for entry in entries], heading)


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    if entry.get("damaged"):
        return ("?", "?", "?", "?", "?", "?", "?", "the entry is damaged")
    return (
        str(entry.get("time", ""))[:19],
        str(entry.get("zone", "")),
        str(entry.get("backend", "")),
        str(entry.get("model") or ""),
        str(entry.get("sent_bytes", "")),
        ", ".join(entry.get("files", ())),
        str(entry.get("purpose", "")),
        str(entry.get("refused", "")),
    )
