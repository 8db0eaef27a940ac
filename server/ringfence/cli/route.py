"""``ringfence route``: which model would do a task, and why; nothing is sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import DONE, REFUSED, WRONG_USE, Failure, JsonOption, show

if TYPE_CHECKING:
    from ringfence.routing.task import TaskKind

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(epilog="Example: ringfence route --task refactor --prompt-tokens 12000")
def route(
    task: Annotated[
        str,
        typer.Option(help="completion, edit, refactor, summary, agent or analysis."),
    ],
    prompt_tokens: Annotated[int, typer.Option(help="Size of the prompt.", min=0)] = 1000,
    tools: Annotated[int, typer.Option(help="Length of the chain of tool calls.", min=0)] = 0,
    workspace: Annotated[
        Path | None, typer.Option(help="The folder whose policy holds; by default this one.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Print which model would do a task, and why.

    What was rejected is printed, too. Servers are asked what they serve; none is given any
    text. The exit code is 1 when no
    model may or can do it.
    """
    from ringfence.routing.task import TaskKind

    try:
        kind = TaskKind(task)
    except ValueError:
        words = ", ".join(TaskKind)
        message = f"{task!r} is no kind of task; use one of {words}"
        raise Failure("usage", message, WRONG_USE) from None
    value, text = asyncio.run(
        _explain(kind, prompt_tokens, tools, (workspace or Path()).absolute())
    )
    show(as_json, value, text)
    return DONE if value["decided"] else REFUSED


async def _explain(
    kind: TaskKind, prompt_tokens: int, tools: int, workspace: Path
) -> tuple[dict[str, Any], str]:
    from ringfence.application import Application
    from ringfence.config.load import load_settings
    from ringfence.config.locate import find_directories
    from ringfence.routing.task import Task

    application = Application(load_settings(), find_directories(), lambda *_: None)
    try:
        verdict = application.ring.verdict((workspace / "file").as_uri())
        await application.routing.refresh()
        output = 128 if kind.value == "completion" else 1024
        task = Task(kind, prompt_tokens, output, verdict.policy.allow, tools=tools)
        value, text = await application.routing.explain(task)
    finally:
        await application.aclose()
    policy = {"allow": verdict.policy.allow.label, "because": verdict.policy.because}
    return {**value, "policy": policy}, text
