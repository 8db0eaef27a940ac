"""What ``ringfence try`` shows, one function for each act."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from ringfence.context.document import Position

from .completing import Completed, complete_at
from .output import Failure, bold, dim, has_style
from .try_out import Played, Stage

if TYPE_CHECKING:
    from .sample import Sample

#: Lines that are shown before and after the completion.
_AROUND = 6


async def complete_code(stage: Stage) -> Played:
    """Fill in code at a cursor, as ghost text would."""
    sample = stage.sample
    cursor = Position(sample.line, sample.column)
    completed = await complete_at(stage.served, sample.file, sample.text, cursor, stage.patience)
    answer = completed.answer
    if not completed.text:
        detail = answer.get("detail") or "the model offered nothing"
        raise Failure(str(answer.get("result")), f"no completion: {detail}")
    whole = _joined(sample, completed)
    result = {
        "file": sample.file.name,
        "line": sample.line + 1,
        "column": sample.column + 1,
        "text": completed.text,
        "parses": _parses(whole),
        "backend": answer.get("backend"),
        "model": answer.get("model"),
        "quantization": completed.model.get("quantization"),
        "zone": answer.get("zone"),
        "first_token_ms": _rounded(answer.get("first_token_ms")),
        "total_ms": _rounded(answer.get("total_ms")),
        "seconds_with_loading": round(completed.seconds, 3),
        "prompt_tokens": completed.call.get("prompt_tokens"),
        "output_tokens": completed.call.get("output_tokens"),
    }
    return Played("completion", result, _text(sample, completed, result))


def _text(sample: Sample, completed: Completed, result: dict[str, object]) -> str:
    where = "on this device" if result["zone"] == "device" else f"in the zone {result['zone']}"
    by = ", ".join(str(result[key]) for key in ("backend", "model", "quantization") if result[key])
    tokens = ""
    if result["output_tokens"] is not None:
        tokens = f", {result['prompt_tokens']} tokens read, {result['output_tokens']} written"
    times = f"{result['total_ms']} ms"
    if result["first_token_ms"] is not None:
        times = f"{result['first_token_ms']} ms to the first token, {times} in all"
    verdict = "the file parses" if result["parses"] else "the file does not parse"
    return "\n".join(
        (
            "",
            f"{bold(sample.file.name)}, the completion marked with >",
            "",
            *_around(sample, completed),
            "",
            f"computed     {where} ({by})",
            f"time         {times}{tokens}",
            f"whole        {completed.seconds:.2f} s with loading the model",
            f"check        {verdict} with the completion in place",
        )
    )


def _around(sample: Sample, completed: Completed) -> list[str]:
    """Return the lines around the cursor, with the completion in place and faint."""
    lines = sample.text.split("\n")
    first = lines[completed.start.line][: completed.start.column]
    last = lines[completed.end.line][completed.end.column :]
    ghost = completed.text.split("\n")
    shown = [f"  {line}" for line in lines[max(0, sample.line - _AROUND) : sample.line]]
    for index, line in enumerate(ghost):
        before = first if index == 0 else ""
        after = last if index == len(ghost) - 1 else ""
        shown.append(f"> {before}{_ghost(line)}{after}")
    following = lines[completed.end.line + 1 : completed.end.line + 1 + _AROUND]
    return [*shown, *(f"  {line}" for line in following)]


def _ghost(text: str) -> str:
    """Mark a completion: faint on a terminal, between marks elsewhere."""
    return dim(text) if has_style() else f"«{text}»"


def _joined(sample: Sample, completed: Completed) -> str:
    lines = sample.text.split("\n")
    before = [*lines[: completed.start.line], lines[completed.start.line][: completed.start.column]]
    after = [lines[completed.end.line][completed.end.column :], *lines[completed.end.line + 1 :]]
    return "\n".join(before) + completed.text + "\n".join(after)


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError):
        return False
    return True


def _rounded(milliseconds: object) -> int | None:
    return round(milliseconds) if isinstance(milliseconds, int | float) else None
