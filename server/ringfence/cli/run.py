"""Runs one command: arguments in, exit code out."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

import ringfence

from .output import (
    DEBUG_VARIABLE,
    DONE,
    INTERRUPTED,
    REFUSED,
    WRONG_USE,
    Failure,
    print_line,
    say,
    show_failure,
)

#: The commands, in the order of the help, and the modules that hold them.
COMMANDS = {
    "serve": "serve",
    "try": "try_out",
    "complete": "complete",
    "doctor": "doctor",
    "models": "models",
    "config": "config",
    "route": "route",
    "audit": "audit",
}


class _Commands(TyperGroup):
    """Loads the module of a command when the command is wanted."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command; None when there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        command = get_command(importlib.import_module(f".{COMMANDS[cmd_name]}", __package__).app)
        command.name = cmd_name
        return command


app = typer.Typer(
    cls=_Commands,
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="AI completions for every LSP editor, computed where you allow it and nowhere else.",
    epilog="Exit codes: 0 done, 1 refused or nothing found, 2 wrong use.",
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print_line(f"ringfence {ringfence.__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Take the options that stand before the command."""


def run(arguments: Sequence[str]) -> int:
    """Run the command that ``arguments`` name, and return its exit code."""
    as_json, arguments = _json_last(list(arguments))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A character that the terminal cannot show must not end the command.
            stream.reconfigure(errors="replace")
    try:
        code = _run(arguments, as_json)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_gone()
    return code


def _run(arguments: list[str], as_json: bool) -> int:
    try:
        result = get_command(app).main(arguments, prog_name="ringfence", standalone_mode=False)
    except Failure as failure:
        show_failure(as_json, failure)
        return failure.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except typer.TyperException as error:
        return _wrong_use(error, as_json)
    except BrokenPipeError:
        raise
    except Exception as error:
        if os.environ.get(DEBUG_VARIABLE):
            raise
        message = (
            f"an internal error ({type(error).__name__}); set {DEBUG_VARIABLE}=1 to see where, "
            "and report it"
        )
        show_failure(as_json, Failure("internal", message))
        return REFUSED
    return result if isinstance(result, int) else DONE


def _wrong_use(error: Any, as_json: bool) -> int:
    message = error.format_message()
    context = getattr(error, "ctx", None)
    if message.startswith("Usage:") and not as_json:
        # No command at all: the message is the help.
        say(message)
        return WRONG_USE
    path = context.command_path if context is not None else "ringfence"
    if message.startswith("Usage:"):
        message = "a command is missing"
    message = message.replace("Value error, ", "").rstrip(".")
    words = f"{message}; `{path} --help` shows what can be given"
    show_failure(as_json, Failure("usage", words[:1].lower() + words[1:]))
    return WRONG_USE


def _json_last(arguments: list[str]) -> tuple[bool, list[str]]:
    """Move ``--json`` behind the command, so that it may stand anywhere."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options, rest = arguments[:end], arguments[end:]
    if "--json" not in options:
        return False, arguments
    return True, [option for option in options if option != "--json"] + ["--json"] + rest


def _reader_gone() -> int:
    """End quietly when what reads the output has gone, such as ``head``."""
    # Python would flush the rest when it ends, and complain.
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    return REFUSED
