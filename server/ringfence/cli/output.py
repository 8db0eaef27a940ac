"""How commands speak: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TextIO

import typer

#: Exit codes. 130 is what shells expect of a program that the user interrupted.
DONE = 0
REFUSED = 1
WRONG_USE = 2
INTERRUPTED = 130

#: Set to anything, it shows where internal errors come from, and servers' logs.
DEBUG_VARIABLE = "RINGFENCE_DEBUG"

#: The option that every command has.
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, errors included.")]


class Failure(Exception):
    """A command cannot do what it was asked; the message is one sentence with the remedy.

    Args:
        code: a short, stable word for scripts.
        message: for people.
        exit_code: ``REFUSED`` or ``WRONG_USE``.
        details: what else scripts may want to know.
    """

    def __init__(self, code: str, message: str, exit_code: int = REFUSED, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = exit_code
        self.details = details


def show(as_json: bool, value: Any, text: str | Callable[[], str]) -> None:
    """Print a command's result: ``value`` as JSON, or ``text``."""
    if as_json:
        print_line(json.dumps(value, indent=2, ensure_ascii=False))
    else:
        print_line(text if isinstance(text, str) else text())


def print_line(text: str) -> None:
    """Print to standard output."""
    sys.stdout.write(f"{text}\n")


def say(text: str) -> None:
    """Tell the user something beside the result, on standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def show_failure(as_json: bool, failure: Failure) -> None:
    """Print why a command failed: as JSON on standard output, else on standard error."""
    if as_json:
        error = {"code": failure.code, "message": str(failure), **failure.details}
        print_line(json.dumps({"error": error}, indent=2, ensure_ascii=False))
    else:
        say(f"ringfence: {failure}")


def dim(text: str, stream: TextIO | None = None) -> str:
    """Return ``text`` so that a terminal shows it faint; unchanged where nothing can."""
    return _styled("2", text, stream)


def bold(text: str, stream: TextIO | None = None) -> str:
    """Return ``text`` so that a terminal shows it bold; unchanged where nothing can."""
    return _styled("1", text, stream)


def has_style(stream: TextIO | None = None) -> bool:
    """Whether text may be styled: on a terminal that can, for a user who has not said no."""
    stream = sys.stdout if stream is None else stream
    wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return wanted and stream.isatty()


def gigabytes(count: int) -> str:
    """Return a number of bytes as people read it, such as ``491 MB``."""
    if count >= 1_000_000_000:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB"


def table(rows: Sequence[tuple[str, ...]], heading: tuple[str, ...] = ()) -> str:
    """Return rows in aligned columns; what could steer a terminal is taken out of them."""
    lines = [heading, *rows] if heading else list(rows)
    lines = [tuple(_printable(cell) for cell in line) for line in lines]
    if not lines:
        return ""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    written = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    if heading:
        written[0] = bold(written[0])
    return "\n".join(written)


def _printable(text: str) -> str:
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _styled(code: str, text: str, stream: TextIO | None) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if has_style(stream) else text
