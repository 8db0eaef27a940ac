"""Reading the user's configuration file: settings always, and what is wrong with it."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from .locate import find_directories
from .positions import KeyPath, Located, YamlProblem, parse_yaml
from .settings import Settings
from .short_form import written_out

#: A configuration larger than this is some other file.
LARGEST = 1024 * 1024

_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class ConfigProblem:
    """Something that is wrong with the configuration.

    Attributes:
        severity: with an error the defaults are used instead of the file.
        message: a sentence that names the thing and the remedy.
        line: one-based; 0 when it is the file as a whole.
        key: the key, dotted; empty when it is the file as a whole.
    """

    severity: Literal["error", "warning"]
    message: str
    line: int = 0
    column: int = 0
    key: str = ""


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings, and how they came about.

    Attributes:
        settings: what holds; the defaults when the file has errors.
        path: the file.
        exists: whether there is one.
    """

    settings: Settings
    path: Path
    exists: bool
    problems: tuple[ConfigProblem, ...] = ()

    @property
    def errors(self) -> tuple[ConfigProblem, ...]:
        """The problems for which the file was not used."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def load_settings(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Loaded:
    """Read the configuration; a missing file means the defaults, and nothing is raised.

    Args:
        path: the file; by default the user's.
        environment: what ``${NAME}`` refers to; by default the process's environment.
    """
    path = path if path is not None else find_directories().config
    try:
        if path.stat().st_size > LARGEST:
            return _unusable(path, f"{path} is larger than {LARGEST} bytes and is not read.")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Loaded(Settings(), path, exists=False)
    except UnicodeDecodeError:
        return _unusable(path, f"{path} is not UTF-8; save it as UTF-8.")
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return _unusable(
            path, f"{path} cannot be read ({reason}); check that it is a readable file."
        )
    return parse_settings(text, path, environment)


def parse_settings(text: str, path: Path, environment: Mapping[str, str] | None = None) -> Loaded:
    """Read the configuration from ``text``; see ``load_settings``."""
    try:
        located = parse_yaml(text)
    except YamlProblem as problem:
        message = f"{path}, line {problem.line}: {problem}. The defaults are used."
        return _unusable(path, message, problem.line, problem.column)
    if located.value is None:
        return Loaded(Settings(), path, exists=True)
    if not isinstance(located.value, dict):
        return _unusable(path, f"{path}, line 1: a configuration is a list of keys.", 1, 1)
    warnings: list[ConfigProblem] = []
    content = _with_environment(
        located.value, (), located, environment if environment is not None else os.environ, warnings
    )
    _warn_of_literal_keys(located.value, located, warnings)
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        errors = _errors(error, located, path)
        return Loaded(Settings(), path, exists=True, problems=(*errors, *warnings))
    if settings.router is not None and not settings.router.thresholds.privacy_enforced:
        warnings.append(_privacy_stays(located))
    return Loaded(written_out(settings), path, exists=True, problems=tuple(warnings))


def _privacy_stays(located: Located) -> ConfigProblem:
    path = ("router", "thresholds", "privacy_enforced")
    line, column = located.position(path)
    message = f"{_dotted(path)} on line {line} cannot be false; privacy is always enforced."
    return ConfigProblem("warning", message, line, column, _dotted(path))


def _unusable(path: Path, message: str, line: int = 0, column: int = 0) -> Loaded:
    problem = ConfigProblem("error", message, line, column)
    return Loaded(Settings(), path, exists=True, problems=(problem,))


def _with_environment(
    value: Any,
    path: KeyPath,
    located: Located,
    environment: Mapping[str, str],
    warnings: list[ConfigProblem],
) -> Any:
    """Replace ``${NAME}``; a value with a missing variable is left out, with a warning."""
    if isinstance(value, dict):
        replaced = {
            key: _with_environment(item, (*path, key), located, environment, warnings)
            for key, item in value.items()
        }
        return {key: item for key, item in replaced.items() if item is not _MISSING}
    if isinstance(value, list):
        items = [
            _with_environment(item, (*path, index), located, environment, warnings)
            for index, item in enumerate(value)
        ]
        return [item for item in items if item is not _MISSING]
    if not isinstance(value, str):
        return value
    missing = [name for name in _REFERENCE.findall(value) if name not in environment]
    if missing:
        line, column = located.position(path)
        message = (
            f"{_dotted(path)} on line {line} refers to the environment variable {missing[0]}, "
            "which is not set; the key counts as left out."
        )
        warnings.append(ConfigProblem("warning", message, line, column, _dotted(path)))
        return _MISSING
    return _REFERENCE.sub(lambda match: environment[match[1]], value)


_MISSING = object()


def _warn_of_literal_keys(content: Any, located: Located, warnings: list[ConfigProblem]) -> None:
    places: list[tuple[KeyPath, Any]] = []
    backends = content.get("backends")
    if isinstance(backends, list):
        places += [
            (("backends", index, "api_key"), backend.get("api_key"))
            for index, backend in enumerate(backends)
            if isinstance(backend, dict)
        ]
    if isinstance(content.get("router"), dict):
        places.append((("router", "cloud_api_key"), content["router"].get("cloud_api_key")))
    for path, value in places:
        if isinstance(value, str) and value and not _REFERENCE.search(value):
            line, column = located.position(path)
            message = (
                f"{_dotted(path)} on line {line} is a key in plain text; better write "
                "${SOME_KEY} and set that environment variable."
            )
            warnings.append(ConfigProblem("warning", message, line, column, _dotted(path)))


def _errors(error: ValidationError, located: Located, file: Path) -> list[ConfigProblem]:
    problems = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        path = _written_path(tuple(detail["loc"]), located)
        line, column = located.position(path)
        where = f"{file}, line {line}"
        if detail["type"] == "extra_forbidden":
            known = _fields_at(path[:-1])
            close = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
            hint = f"did you mean {close[0]!r}?" if close else f"known keys: {', '.join(known)}."
            message = f"{where}: the key {_dotted(path)!r} is unknown; {hint}"
        else:
            words = detail["msg"].removeprefix("Value error, ")
            message = f"{where}: {_dotted(path)}: {words[:1].lower()}{words[1:]}."
        problems.append(ConfigProblem("error", message, line, column, _dotted(path)))
    return problems


def _written_path(path: tuple[int | str, ...], located: Located) -> KeyPath:
    """Return the part of pydantic's path that stands in the file.

    Pydantic adds a word of its own for each variant that it tried.
    """
    written: list[str | int] = []
    for step in path:
        if (*written, step) in located.positions or step == path[-1]:
            written.append(step)
    return tuple(written)


def _fields_at(path: KeyPath) -> list[str]:
    """Return the keys that are known where ``path`` leads."""
    section: type[BaseModel] | None = Settings
    for step in path:
        if isinstance(step, int) or section is None:
            continue
        field = section.model_fields.get(step)
        section = _section_in(field.annotation) if field is not None else None
    return list(section.model_fields) if section is not None else []


def _section_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    arguments = getattr(annotation, "__args__", ())
    return next(filter(None, (_section_in(argument) for argument in arguments)), None)


def _dotted(path: KeyPath) -> str:
    words = ""
    for step in path:
        words += f"[{step}]" if isinstance(step, int) else f".{step}"
    return words.removeprefix(".")
