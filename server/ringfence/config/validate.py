"""Plain values to settings; whatever is wrong becomes a fault in words of the user's file."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ringfence.privacy import Zone

from .keys import nearest_key, section_at
from .problems import Fault, KeyPath, dotted
from .reference import CLOUD, LOCAL, OVERLAPS, ConfigurationFile
from .settings import BackendKind, Section

#: What a value must be, by pydantic's name of the error.
_EXPECTED = {
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "string_type": "text",
    "path_type": "text",
    "tuple_type": "a list",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "string_too_short": "some text",
    "greater_than": "greater than {gt:g}",
    "greater_than_equal": "{ge:g} or more",
    "less_than": "less than {lt:g}",
    "less_than_equal": "{le:g} or less",
}

#: Keys whose values are secrets.
_SECRET_KEYS = frozenset({"api_key", "cloud_api_key"})


def prune(values: dict[str, Any], root: type[Section] = ConfigurationFile) -> dict[str, Any]:
    """Drop known keys without a value: a section whose keys are all commented out, say."""

    def pruned(value: Any, path: KeyPath) -> Any:
        if isinstance(value, list):
            return [pruned(item, (*path, index)) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        section = section_at(root, path)
        known = section.model_fields if section is not None else {}
        return {
            key: pruned(item, (*path, key))
            for key, item in value.items()
            if item is not None or key not in known
        }

    result: dict[str, Any] = pruned(values, ())
    return result


def soften(values: dict[str, Any]) -> list[Fault]:
    """Take out of ``values`` what has no effect; returns a warning for each."""
    faults = []
    for path in (("router", "thresholds", "privacy_enforced"), ("routing", "privacy_enforced")):
        section: Any = values
        for step in path[:-1]:
            section = section.get(step) if isinstance(section, dict) else None
        if isinstance(section, dict) and section.get(path[-1]) is False:
            del section[path[-1]]
            words = (
                f'"{dotted(path)}" cannot be switched off and stays true; to let a folder\'s '
                "code go farther, say so under `workspaces`"
            )
            faults.append(Fault(path, words, severity="warning"))
    return faults


def validate(
    values: dict[str, Any], references: Mapping[KeyPath, str]
) -> tuple[ConfigurationFile | None, list[Fault]]:
    """Return what ``values`` say, or what is wrong with them.

    Args:
        values: the file's values.
        references: the texts that came from the environment, which no message may hold.
    """
    try:
        file = ConfigurationFile.model_validate_json(json.dumps(values), strict=True)
    except ValidationError as error:
        details = error.errors(include_url=False)
        return None, list(_faults(details, values, references))
    faults = [*_overlaps(values), *_backends(file, values, references)]
    return file, faults


def _faults(
    details: list[ErrorDetails], values: dict[str, Any], references: Mapping[KeyPath, str]
) -> Iterator[Fault]:
    """One fault for each place; a value that may be of several kinds has several errors."""
    by_path: dict[KeyPath, list[ErrorDetails]] = {}
    for detail in details:
        path = _way(detail["loc"], values, missing=detail["type"] == "missing")
        by_path.setdefault(path, []).append(detail)
    for path, errors in by_path.items():
        if any(other[: len(path)] == path and other != path for other in by_path):
            # What is wrong further inside says more: this is another of the kinds tried.
            continue
        first = errors[0]
        if first["type"] == "extra_forbidden":
            hint = nearest_key(ConfigurationFile, path[:-1], str(path[-1]))
            yield Fault(path, f'"{path[-1]}" is not a known key; {hint}')
        elif first["type"] == "missing":
            yield Fault(path, f'"{dotted(path)}" is missing; every entry needs it')
        else:
            secret = path in references or (path[-1:] and path[-1] in _SECRET_KEYS)
            yield Fault(path, f'"{dotted(path)}" {_requirement(errors, hide=bool(secret))}')


def _way(location: tuple[int | str, ...], values: Any, *, missing: bool) -> KeyPath:
    """Return the part of pydantic's location that stands in the file; the rest names types."""
    way: list[int | str] = []
    for index, step in enumerate(location):
        if isinstance(values, dict) and step in values:
            values = values[str(step)]
        elif isinstance(values, list) and isinstance(step, int) and step < len(values):
            values = values[step]
        elif missing and index == len(location) - 1:
            pass
        else:
            continue
        way.append(step)
    return tuple(way)


def _requirement(errors: list[ErrorDetails], *, hide: bool) -> str:
    words = []
    for error in errors:
        choices = _choices(error)
        given = error.get("input")
        if choices:
            listed = ", ".join(choices)
            if isinstance(given, str) and not hide:
                near = difflib.get_close_matches(given, choices, n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]}?" if near else ""
                return f'must be one of {listed}, not "{given[:40]}"{hint}'
            return f"must be one of {listed}"
        if error["type"] == "value_error":
            return str(error.get("ctx", {}).get("error", "is not valid"))
        expected = _EXPECTED.get(error["type"], "of another kind")
        words.append(expected.format(**error.get("ctx", {})))
    quotes = "; put quotes around it" if words[0] == "text" and _is_bare(errors[0]) else ""
    return f"must be {' or '.join(dict.fromkeys(words))}{quotes}"


def _is_bare(error: ErrorDetails) -> bool:
    """Whether the value is a number or the like, which quotes would make text."""
    return isinstance(error.get("input"), int | float)


def _choices(error: ErrorDetails) -> list[str]:
    """Return the words that would do, where the value must be one of several."""
    expected = error.get("ctx", {}).get("expected")
    if error["type"] in ("enum", "literal_error") and isinstance(expected, str):
        return [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    if "zone" in str(error["loc"][-1:]) or "allow" in str(error["loc"][-1:]):
        return [zone.label for zone in Zone]
    return []


def _overlaps(values: dict[str, Any]) -> Iterator[Fault]:
    router = values.get("router") or {}
    for short, full in OVERLAPS:
        if short in router and full in values:
            words = f'"router.{short}" and "{full}" say the same thing; keep one of them'
            yield Fault(("router", short), words)


def _backends(
    file: ConfigurationFile, values: dict[str, Any], references: Mapping[KeyPath, str]
) -> Iterator[Fault]:
    names: dict[str, KeyPath] = {}
    if file.router is not None:
        for name, key, secret in (
            (LOCAL, "local_endpoint", ""),
            (CLOUD, "cloud_endpoint", "cloud_api_key"),
        ):
            url = getattr(file.router, key)
            zone = Zone.DEVICE if name == LOCAL else Zone.CLOUD
            if url is not None:
                names[name] = ("router", key)
                yield from _url(url, zone, ("router", key))
            yield from _literal_key(values["router"], secret, ("router",), references)
    for index, backend in enumerate(file.backends):
        path: KeyPath = ("backends", index)
        if backend.name in names:
            first = dotted(names[backend.name])
            yield Fault(
                (*path, "name"), f'the name "{backend.name}" is taken by {first}; choose another'
            )
        names.setdefault(backend.name, path)
        yield from _literal_key(values["backends"][index], "api_key", path, references)
        urls = (backend.url,) if isinstance(backend.url, str) else backend.url or ()
        if not urls and backend.kind is not BackendKind.ENGINE and (*path, "url") not in references:
            yield Fault((*path, "url"), f'"{dotted(path)}" has no url; give the server\'s address')
        for url in urls:
            yield from _url(url, backend.zone, (*path, "url"))


def _literal_key(
    values: dict[str, Any], key: str, path: KeyPath, references: Mapping[KeyPath, str]
) -> Iterator[Fault]:
    if values.get(key) and (*path, key) not in references:
        words = (
            f'"{dotted((*path, key))}" holds a key in plain text; put it into an environment '
            "variable and write ${NAME_OF_THE_VARIABLE} here"
        )
        yield Fault((*path, key), words, severity="warning")


def _url(url: str, zone: Zone, path: KeyPath) -> Iterator[Fault]:
    name = dotted(path)
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        parts.port  # noqa: B018 (raises for a port that is none)
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in ("http", "https") or not host:
        yield Fault(path, f'"{name}" must be an address such as http://127.0.0.1:11434')
    elif parts.username is not None or parts.password is not None:
        yield Fault(path, f'"{name}" must hold no password; give it as the key of the backend')
    elif zone is Zone.DEVICE and _is_elsewhere(host):
        words = (
            f'"{name}" is not an address of this machine, so it cannot be verified as zone '
            "device and will be refused; declare it under `backends` with zone: network"
        )
        yield Fault(path, words, severity="warning")


def _is_elsewhere(host: str) -> bool:
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return False
