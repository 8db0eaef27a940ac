"""``ringfence config``: the configuration as it is in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .output import DONE, REFUSED, JsonOption, print_line, say, show

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.callback(invoke_without_command=True)
def config(context: typer.Context, as_json: JsonOption = False) -> int:
    """Show, check and describe the configuration."""
    return show_settings(as_json) if context.invoked_subcommand is None else DONE


@app.command("show", epilog="Example: ringfence config show")
def show_settings(as_json: JsonOption = False) -> int:
    """Show every setting in force, keys hidden.

    References to environment variables are shown as they are written, without their values.
    """
    from ringfence.config.load import load_settings
    from ringfence.config.show import as_yaml, shown_settings

    loaded = load_settings()
    values = shown_settings(loaded)
    result = {
        "path": str(loaded.path),
        "exists": loaded.exists,
        "settings": values,
        "problems": [problem.as_json() for problem in loaded.problems],
    }
    if not as_json:
        for problem in loaded.problems:
            say(f"{problem.severity}: {problem.message}")
        if loaded.errors:
            say("The file is not used because of the errors; these are the defaults.")
        elif not loaded.exists:
            say(f"There is no {loaded.path}; these are the defaults.")
    show(as_json, result, lambda: as_yaml(values).rstrip())
    return DONE


@app.command("check", epilog="Example: ringfence config check")
def check(
    file: Annotated[
        Path | None, typer.Argument(help="A file to check; by default the user's.")
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Check the configuration.

    The exit code is 1 when something in it is wrong.
    """
    from ringfence.config.load import load_settings

    loaded = load_settings(file)
    result: dict[str, Any] = {
        "path": str(loaded.path),
        "exists": loaded.exists,
        "valid": not loaded.errors,
        "problems": [problem.as_json() for problem in loaded.problems],
    }
    if loaded.errors:
        result["error"] = {"code": "config-invalid", "message": loaded.errors[0].message}

    def text() -> str:
        lines = [f"{problem.severity}: {problem.message}" for problem in loaded.problems]
        if loaded.errors:
            lines.append("The file is not used until this is mended; the defaults hold.")
        elif not loaded.exists:
            lines.append(f"There is no {loaded.path}; the defaults hold.")
        else:
            lines.append(f"{loaded.path} is in order.")
        return "\n".join(lines)

    show(as_json, result, text)
    return REFUSED if loaded.errors else DONE


@app.command("path", epilog='Example: "$EDITOR" "$(ringfence config path)"')
def path(as_json: JsonOption = False) -> int:
    """Say where the configuration file lies, or would lie."""
    from ringfence.config.locate import find_directories

    directories = find_directories()
    result = {
        "path": str(directories.config),
        "exists": directories.config.exists(),
        "state": str(directories.state),
        "cache": str(directories.cache),
        "models": str(directories.models),
        "logs": str(directories.logs),
    }
    show(as_json, result, str(directories.config))
    return DONE


@app.command("schema", epilog="Example: ringfence config schema > ringfence.schema.json")
def schema(as_json: JsonOption = False) -> int:
    """Print the JSON Schema of the configuration file."""
    import json

    from ringfence.config.schema import file_schema

    del as_json  # A schema is JSON in any case.
    print_line(json.dumps(file_schema(), indent=2, ensure_ascii=False))
    return DONE
