"""``ringfence models``: the models of the embedded engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from .output import DONE, Failure, JsonOption, gigabytes, show, table

if TYPE_CHECKING:
    from ringfence.engine.catalogue import ModelCard
    from ringfence.engine.client import Engine
    from ringfence.engine.machine import Machine

app = typer.Typer(rich_markup_mode=None, add_completion=False)

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A name from `models list`, a tag of the Ollama library, or a file on the "
        "Hugging Face hub as owner/repository/file.gguf.",
    ),
]


@app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: JsonOption = False) -> int:
    """List, fetch and remove models of the embedded engine."""
    return list_models(as_json) if context.invoked_subcommand is None else DONE


@app.command("list", epilog="Example: ringfence models list")
def list_models(as_json: JsonOption = False) -> int:
    """List the models, with what they need and whether they suit this machine."""
    from ringfence.engine.machine import examine

    engine = _engine()
    machine = examine()
    rows = _rows(engine, machine)

    def text() -> str:
        heading = ("model", "size", "quantization", "memory", "licence", "this machine", "state")
        cells = [
            (
                row["id"],
                gigabytes(row["size_bytes"]) if row["size_bytes"] else "?",
                row["quantization"] or "?",
                gigabytes(row["memory_bytes"]) if row["memory_bytes"] else "?",
                row["licence"],
                row["fit"],
                ("installed" if row["installed"] else "") + (", in use" if row["chosen"] else ""),
            )
            for row in rows
        ]
        return f"{table(cells, heading)}\n\nFetch one: ringfence models pull MODEL"

    memory = machine.memory_total
    show(as_json, {"models": rows, "folder": str(engine.store.folder), "memory": memory}, text)
    return DONE


@app.command("pull", epilog="Example: ringfence models pull qwen2.5-coder:1.5b")
def pull(
    model: Annotated[
        str,
        typer.Argument(
            metavar="[MODEL]",
            help="As for `models list`; by default the one that suits this machine best.",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> int:
    """Fetch a model and check it. What a broken download left is used the next time."""
    from .engine_access import fetch

    engine = _engine()
    name = model or _wanted(engine)
    here = _installed(engine, name)
    installed = fetch(engine, name, quiet=as_json)
    result = {
        "id": installed.card.id,
        "path": str(installed.path),
        "size_bytes": installed.size_bytes,
        "sha256": installed.sha256,
        "source": installed.source,
        "licence": installed.card.licence,
        "fetched": not here,
    }
    how = "is here already" if here else f"is here now, from {installed.source}"
    show(as_json, result, f"{installed.card.id} ({gigabytes(installed.size_bytes)}) {how}.")
    return DONE


@app.command("remove", epilog="Example: ringfence models remove qwen2.5-coder:0.5b")
def remove(model: ModelArgument, as_json: JsonOption = False) -> int:
    """Delete a model from this disk. A file that you named by its path is left alone."""
    engine = _engine()
    card = _find(model)
    if card.path is not None:
        raise Failure("own-file", f"{model} is a file of your own; delete it yourself")
    if not engine.store.remove(card):
        raise Failure("model-not-installed", f"{card.id} is not installed")
    show(as_json, {"id": card.id, "removed": True}, f"{card.id} is removed.")
    return DONE


def recommended(machine: Machine, memory_limit: int | None = None) -> ModelCard:
    """Return the largest model of the catalogue that this machine runs in useful time.

    A licence that forbids commercial use is nothing to choose for somebody else.
    """
    from ringfence.engine.catalogue import CATALOGUE
    from ringfence.engine.tuning import fits, is_quick

    free = [card for card in CATALOGUE if not card.licence.startswith("LicenseRef")]
    free.sort(key=lambda card: card.size_bytes)
    suitable = [
        card
        for card in free
        if fits(machine, card.size_bytes, memory_limit) and is_quick(machine, card.size_bytes)
    ]
    return suitable[-1] if suitable else free[0]


def _rows(engine: Engine, machine: Machine) -> list[dict[str, Any]]:
    import asyncio

    from ringfence.engine.catalogue import CATALOGUE
    from ringfence.engine.errors import EngineError

    installed = {model.card.id: model for model in engine.store.installed()}
    cards = {card.id: card for card in CATALOGUE}
    cards.update({name: model.card for name, model in installed.items()})
    try:
        choice = asyncio.run(engine.choose_model())
    except EngineError:
        chosen = ""
    else:
        chosen = choice.card.id if choice.installed is not None else ""
        cards.setdefault(choice.card.id, choice.card)
    return [
        {
            "id": card.id,
            "size_bytes": installed[card.id].size_bytes
            if card.id in installed
            else card.size_bytes,
            "quantization": card.quantization,
            "memory_bytes": card.least_memory_bytes,
            "licence": card.licence,
            "fills_in_the_middle": card.fim is not None,
            "fit": _fit(card, machine),
            "installed": card.id in installed,
            "chosen": card.id == chosen,
            "path": str(installed[card.id].path) if card.id in installed else None,
        }
        for card in cards.values()
    ]


def _fit(card: ModelCard, machine: Machine) -> str:
    from ringfence.engine.tuning import fits, is_quick

    if not card.size_bytes:
        return "unknown"
    if not fits(machine, card.size_bytes):
        return "too large"
    return "suits" if is_quick(machine, card.size_bytes) else "slow"


def _wanted(engine: Engine) -> str:
    """Return the model that the configuration names, or the one that suits this machine."""
    from ringfence.config.load import load_settings
    from ringfence.engine.machine import examine

    settings = load_settings().settings
    if settings.engine.model != "auto":
        return settings.engine.model
    limit = settings.memory.limit_gb
    return recommended(examine(), None if limit is None else int(limit * 1e9)).id


def _installed(engine: Engine, model: str) -> bool:
    return engine.store.get(_find(model)) is not None


def _find(model: str) -> ModelCard:
    from ringfence.engine.catalogue import find
    from ringfence.engine.errors import EngineError

    try:
        return find(model)
    except EngineError as error:
        raise Failure(error.code, str(error)) from error


def _engine() -> Engine:
    from ringfence.config.load import load_settings
    from ringfence.config.locate import find_directories

    from .engine_access import open_engine

    return open_engine(load_settings(), find_directories())
