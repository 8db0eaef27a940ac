"""Loads the configuration: always settings, and whatever is wrong as problems."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .document import Document, parse
from .environment import Expansion
from .locate import CONFIG_VARIABLE, find_directories
from .problems import ConfigProblem, Fault, KeyPath, Place, dotted
from .reference import translate, translate_path
from .settings import Settings
from .validate import prune, soften, validate

#: No configuration is larger; what is, is another file.
_MOST_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration as it is in force.

    Attributes:
        settings: the file's, or the defaults when there is an error or no file.
        problems: what is wrong, in the order of the file.
        path: the file, which need not exist.
        exists: whether there is such a file.
        references: texts that were written with references to environment variables, by
            their place in the settings.
    """

    settings: Settings
    problems: tuple[ConfigProblem, ...]
    path: Path
    exists: bool = True
    references: Mapping[KeyPath, str] = field(default_factory=dict, repr=False)

    @property
    def errors(self) -> tuple[ConfigProblem, ...]:
        """The problems that kept the file from being used."""
        return tuple(p for p in self.problems if p.severity == "error")


def load_settings(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Loaded:
    """Load a configuration file. Never raises: with an error, the defaults hold.

    Args:
        path: the file; by default the user's, which need not exist unless the user
            named it in ``RINGFENCE_CONFIG``.
        environment: the variables that ``${NAME}`` refers to; by default this process's.
    """
    environment = os.environ if environment is None else environment
    must_exist = path is not None or bool(environment.get(CONFIG_VARIABLE))
    path = path if path is not None else find_directories(environment).config
    try:
        data = _read(path)
    except FileNotFoundError:
        faults = [Fault((), "does not exist; create it, or change RINGFENCE_CONFIG")]
        return _defaults(path, faults if must_exist else [], exists=False)
    except OSError as error:
        return _defaults(path, [Fault((), _why_unreadable(error))])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        words = "a byte here is not UTF-8; save the file as UTF-8"
        return _defaults(path, [Fault((), words, Place(line, 1))])
    return parse_settings(text, path, environment)


def parse_settings(text: str, path: Path, environment: Mapping[str, str] | None = None) -> Loaded:
    """Load a configuration from its text, as ``load_settings`` does from a file."""
    environment = os.environ if environment is None else environment
    document = parse(text)
    if document.faults:
        return _defaults(path, document.faults, document)
    if not text.strip() and path.is_file():
        words = "is empty, so the defaults hold"
        return _defaults(path, [Fault((), words, severity="warning")])
    expansion = Expansion(environment)
    values = prune(expansion.expand(document.values))
    softened = soften(values)
    file, faults = validate(values, expansion.references)
    faults = [*expansion.faults, *softened, *faults]
    problems = _problems(path, faults, document)
    if file is None or any(p.severity == "error" for p in problems):
        return Loaded(Settings(), problems, path)
    references = {translate_path(p, file): text for p, text in expansion.references.items()}
    return Loaded(translate(file), problems, path, references=references)


def _read(path: Path) -> bytes:
    """Read the file.

    Raises:
        OSError: when it cannot be read, or is not a file of a sensible size.
    """
    if stat.S_ISFIFO(path.stat().st_mode):
        # Opening it would wait for a writer.
        raise OSError("is a pipe")
    with path.open("rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise OSError("is too large")
    return data


def _why_unreadable(error: OSError) -> str:
    match error:
        case IsADirectoryError():
            return "is a folder; the configuration must be a file"
        case PermissionError():
            return "cannot be read: permission denied; make it readable for your user"
        case OSError(errno=None):
            return f"{error} and cannot be a configuration"
        case _:
            return f"cannot be read: {(error.strerror or type(error).__name__).lower()}"


def _defaults(
    path: Path, faults: Iterable[Fault], document: Document | None = None, *, exists: bool = True
) -> Loaded:
    problems = _problems(path, faults, document or Document())
    return Loaded(Settings(), problems, path, exists)


def _problems(path: Path, faults: Iterable[Fault], document: Document) -> tuple[ConfigProblem, ...]:
    problems = []
    for fault in faults:
        place = fault.place or document.place(fault.path)
        where = f"{path}, line {place.line}:" if place else str(path)
        problems.append(
            ConfigProblem(
                path=path,
                line=place.line if place else None,
                column=place.column if place else None,
                key=dotted(fault.path),
                message=f"{where} {fault.words}.".replace("?.", "?"),
                severity=fault.severity,
            )
        )
    return tuple(sorted(problems, key=lambda p: (p.line or 0, p.column or 0)))
