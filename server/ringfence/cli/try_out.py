"""``ringfence try``: the main job, end to end, on real code with the embedded engine.

The acts are played one after another on one language server; each gives JSON values and
what people read.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

import ringfence

from .output import DONE, Failure, JsonOption, bold, gigabytes, print_line, say, show

if TYPE_CHECKING:
    from ringfence.config.load import Loaded
    from ringfence.engine.client import Engine
    from ringfence.engine.store import InstalledModel

    from .completing import Served
    from .sample import Sample

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@dataclass(frozen=True, slots=True)
class Stage:
    """What an act plays on.

    Attributes:
        served: the language server, started for this.
        sample: the project, in a folder of its own.
        patience: seconds to wait for a model that is still loading.
    """

    served: Served
    sample: Sample
    patience: float


@dataclass(frozen=True, slots=True)
class Played:
    """What came of an act.

    Attributes:
        name: its key in the JSON.
        result: the JSON.
        text: the same for people.
    """

    name: str
    result: Mapping[str, Any]
    text: str


#: Raises ``Failure`` when it does not succeed.
Act: TypeAlias = Callable[[Stage], Awaitable[Played]]


@app.command(epilog="Example: ringfence try")
def try_(
    timeout: Annotated[
        float, typer.Option(help="Seconds to wait for the model to load and answer.", min=1)
    ] = 180,
    as_json: JsonOption = False,
) -> int:
    """Complete real code with the embedded engine, end to end.

    The first run fetches a small code model. The code goes through the language server that
    editors use, started for this; your backends and workspaces are left alone.
    """
    from ringfence.config.load import load_settings
    from ringfence.config.locate import find_directories

    from .engine_access import open_engine
    from .lsp_client import RequestRefused, ServerGone

    loaded = load_settings()
    for problem in loaded.problems:
        say(f"{problem.severity}: {problem.message}")
    engine = open_engine(loaded, find_directories())
    model, fetched, seconds = _model(engine, quiet=as_json)
    if not as_json:
        how = f"fetched in {seconds:.0f} s" if fetched else "on this disk already"
        print_line(
            f"{bold('Ringfence')} {ringfence.__version__}, the language server as editors use it"
        )
        print_line(f"model        {_describe(model)}, {how}")
    try:
        with tempfile.TemporaryDirectory(prefix="ringfence-try-") as name:
            folder = Path(name).resolve()
            start, played = asyncio.run(_play(loaded, folder, timeout, quiet=as_json))
    except (RequestRefused, ServerGone) as error:
        raise Failure("server", f"the language server failed: {error}") from None
    result = {
        "model": {"id": model.card.id, "size_bytes": model.size_bytes, "fetched": fetched},
        "seconds_to_initialize": round(start, 3),
        **{act.name: act.result for act in played},
    }
    if as_json:
        show(as_json, result, "")
    return DONE


async def _play(
    loaded: Loaded, folder: Path, patience: float, *, quiet: bool
) -> tuple[float, list[Played]]:
    from .acts import complete_code
    from .completing import serve_folder
    from .sample import write_sample

    acts: tuple[Act, ...] = (complete_code,)
    played = []
    sample = write_sample(folder / "ledger")
    async with serve_folder(sample.folder, _environment(loaded, folder)) as served:
        if not quiet:
            print_line(f"start        {served.seconds:.2f} s to the reply to initialize")
        for act in acts:
            outcome = await act(Stage(served, sample, patience))
            played.append(outcome)
            if not quiet:
                print_line(outcome.text)
    return served.seconds, played


def _model(engine: Engine, *, quiet: bool) -> tuple[InstalledModel, bool, float]:
    """Return the model of the engine, whether it was fetched now, and the seconds it took."""
    from ringfence.engine.errors import EngineError
    from ringfence.engine.starter import require_engine

    from .engine_access import fetch

    try:
        require_engine()
        choice = asyncio.run(engine.choose_model())
    except EngineError as error:
        raise Failure(error.code, str(error)) from error
    if choice.installed is not None:
        return choice.installed, False, 0.0
    if not quiet:
        say(f"Fetching {choice.card.id} ({gigabytes(choice.card.size_bytes)}), this once.")
    started = time.perf_counter()
    return fetch(engine, choice.card.id, quiet=quiet), True, time.perf_counter() - started


def _environment(loaded: Loaded, folder: Path) -> Mapping[str, str]:
    """Return the environment of a server that has the embedded engine and nothing else."""
    from ringfence.config.show import as_yaml, shown_settings

    settings = shown_settings(loaded)
    kept = {section: settings[section] for section in ("engine", "memory")}
    kept["engine"]["enabled"] = True
    file = folder / "config.yaml"
    file.write_text(as_yaml(kept), encoding="utf-8")
    return {**os.environ, "RINGFENCE_CONFIG": str(file)}


def _describe(model: InstalledModel) -> str:
    card = model.card
    parts = (card.id, card.quantization, gigabytes(model.size_bytes), card.licence)
    return ", ".join(part for part in parts if part)
