"""``ringfence complete``: one completion of a file."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import DONE, REFUSED, WRONG_USE, Failure, JsonOption, say, show

if TYPE_CHECKING:
    from ringfence.context.document import Position

    from .completing import Completed

_PLACE = re.compile(r"(.+):([1-9][0-9]{0,8}):([1-9][0-9]{0,8})")

#: A file larger than this is no source code.
_MOST_BYTES = 20_000_000

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog="Example: ringfence complete src/app.py:42:9")
def complete(
    place: Annotated[
        str,
        typer.Argument(
            metavar="FILE:LINE:COL",
            help="Where; line and column count from 1, columns in characters.",
        ),
    ],
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for a model that is still loading.", min=0)
    ] = 60,
    as_json: JsonOption = False,
) -> int:
    """Print the completion at a place in a file.

    The completion goes to standard output, where it was computed to standard error. The
    code travels no farther than your configuration allows for its folder.
    """
    from .lsp_client import RequestRefused, ServerGone

    file, text, cursor = _read(place)
    try:
        completed = asyncio.run(_complete(file, text, cursor, timeout))
    except (RequestRefused, ServerGone) as error:
        raise Failure("server", f"the language server failed: {error}") from None
    return _show(as_json, file, completed)


async def _complete(file: Path, text: str, cursor: Position, timeout: float) -> Completed:
    from .completing import complete_at, serve_folder

    async with serve_folder(_workspace(file)) as served:
        return await complete_at(served, file, text, cursor, timeout)


def _show(as_json: bool, file: Path, completed: Completed) -> int:
    answer = completed.answer
    origin = {key: answer.get(key) for key in ("backend", "model", "zone", "cached")}
    origin["quantization"] = completed.model.get("quantization")
    if not completed.text:
        reason, detail = str(answer.get("result")), str(answer.get("detail") or "nothing came")
        message = f"no completion ({reason}): {detail}"
        raise Failure(reason, message, REFUSED, reason=reason, **origin)
    result: dict[str, Any] = {
        "text": completed.text,
        "file": str(file),
        "range": {
            "start": {"line": completed.start.line + 1, "column": completed.start.column + 1},
            "end": {"line": completed.end.line + 1, "column": completed.end.column + 1},
        },
        **origin,
        "first_token_ms": answer.get("first_token_ms"),
        "total_ms": answer.get("total_ms"),
    }
    show(as_json, result, completed.text)
    if not as_json:
        where = "on this device" if origin["zone"] == "device" else f"in the {origin['zone']}"
        say(
            f"{origin['model']} at {origin['backend']}, {where}, {answer.get('total_ms', 0):.0f} ms"
        )
    return DONE


def _read(place: str) -> tuple[Path, str, Position]:
    """Return the file, its text and the cursor.

    Raises:
        Failure: when there is no such place.
    """
    from ringfence.context.document import Position, split_lines, without_ending

    match = _PLACE.fullmatch(place)
    if match is None:
        message = f"{place!r} is no place; write FILE:LINE:COL with numbers from 1"
        raise Failure("usage", message, WRONG_USE)
    name, line, column = match.groups()
    file = Path(name).absolute()
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise Failure("too-large", f"{name} is too large to be source code")
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        raise Failure("not-text", f"{name} is not UTF-8 text") from None
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise Failure("usage", f"{name} cannot be read: {reason}", WRONG_USE) from None
    lines = split_lines(text)
    cursor = Position(int(line) - 1, int(column) - 1)
    if cursor.line >= len(lines):
        raise Failure("usage", f"{name} has {len(lines)} lines, not {line}", WRONG_USE)
    length = len(without_ending(lines[cursor.line]))
    if cursor.column > length:
        message = f"line {line} of {name} has {length} characters; the last column is {length + 1}"
        raise Failure("usage", message, WRONG_USE)
    return file, text, cursor


def _workspace(file: Path) -> Path:
    """Return the folder that an editor would open: the repository, or the file's own."""
    for folder in file.parents:
        if (folder / ".git").exists():
            return folder
    return file.parent
