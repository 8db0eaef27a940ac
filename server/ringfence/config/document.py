"""YAML text to plain values, with the place of every key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml

from .problems import Fault, KeyPath, Place, dotted

#: Values in a file, counted where an alias repeats them; far more than any real
#: configuration, and few enough to refuse aliases that multiply.
_MOST_VALUES = 20_000

#: The largest whole number, which every language reads exactly.
_LARGEST = 2**53

_TAG = "tag:yaml.org,2002:"
_TAGS = frozenset(_TAG + kind for kind in ("map", "seq", "str", "bool", "int", "float", "null"))

_HALF = re.compile("[\ud800-\udfff]")

#: Lists and mappings within each other.
_MOST_DEPTH = 32


@dataclass(slots=True)
class Document:
    """A parsed file.

    Attributes:
        values: the top-level mapping.
        places: where each key and each entry of a list stands.
        faults: what is wrong with the YAML itself.
    """

    values: dict[str, Any] = field(default_factory=dict)
    places: dict[KeyPath, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def place(self, path: KeyPath) -> Place | None:
        """Return where a key stands, or else the nearest thing around it."""
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path)


class _Loader(yaml.SafeLoader):
    """YAML with the plain values of its version 1.2.

    Version 1.1 reads ``off`` as a truth value, ``12:30`` as a number and a date as a date;
    nobody who writes a configuration means that.
    """

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
):
    _Loader.add_implicit_resolver(
        f"{_TAG}{_tag}",
        re.compile(rf"(?:{_pattern})\Z"),
        ["" if letter == "\0" else letter for letter in _first],
    )


def parse(text: str) -> Document:
    """Parse a file; whatever is wrong with it stands in the document's faults."""
    document = Document()
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        document.faults.append(_syntax_fault(text, error))
    except yaml.reader.ReaderError as error:
        document.faults.append(_character_fault(text, error.position))
    except RecursionError:
        document.faults.append(Fault((), "nests lists and mappings too deeply"))
    else:
        if root is None:
            return document
        if not isinstance(root, yaml.MappingNode):
            what = "a list" if isinstance(root, yaml.SequenceNode) else "a single value"
            fault = Fault((), f"holds {what}; a configuration holds keys, such as `backends:`")
            document.faults.append(fault)
            return document
        document.values = _Reader(document).read_mapping(root, ())
    return document


class _Reader:
    """Turns nodes into values; remembers places and faults."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._values = 0
        self._full = False

    def read_mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            place = _place(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(path, "a key must be a word, not a list or a mapping", place)
                continue
            key = str(key_node.value)
            if key in values:
                first = self._document.places[*path, key].line
                self._fault((*path, key), f'"{key}" is given twice (first in line {first})', place)
                continue
            self._document.places[*path, key] = place
            values[key] = self._read(value_node, (*path, key))
        return values

    def _read(self, node: yaml.Node, path: KeyPath) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES or len(path) > _MOST_DEPTH:
            if not self._full:
                self._full = True
                self._fault(path, "the file is too large or too deeply nested", _place(node))
            return None
        if node.tag not in _TAGS:
            self._fault(path, f'the tag on "{dotted(path)}" is not known', _place(node))
            return None
        if isinstance(node, yaml.MappingNode):
            return self.read_mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            items = []
            for index, item in enumerate(node.value):
                if self._full:
                    break
                self._document.places[*path, index] = _place(item)
                items.append(self._read(item, (*path, index)))
            return items
        return self._read_scalar(node, path)

    def _read_scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        try:
            match node.tag.removeprefix(_TAG):
                case "str":
                    return self._read_text(str(node.value), path, node)
                case "bool":
                    return node.value.lower() == "true"
                case "int":
                    return self._read_number(int(node.value), path, node)
                case "float":
                    return float(node.value)
                case "null":
                    return None
        except ValueError:
            pass
        self._fault(path, f'the value of "{dotted(path)}" is not what its tag says', _place(node))
        return None

    def _read_text(self, text: str, path: KeyPath, node: yaml.Node) -> str | None:
        # JSON, paths and URLs can hold neither; an escape in quotes can write both.
        if "\0" in text or (not text.isascii() and _HALF.search(text)):
            self._fault(path, f'"{dotted(path)}" holds half a character or a NUL', _place(node))
            return None
        return text

    def _read_number(self, number: int, path: KeyPath, node: yaml.Node) -> int | None:
        if abs(number) > _LARGEST:
            self._fault(path, f'the number of "{dotted(path)}" is too large', _place(node))
            return None
        return number

    def _fault(self, path: KeyPath, words: str, place: Place) -> None:
        self._document.faults.append(Fault(path, words, place))


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _syntax_fault(text: str, error: yaml.MarkedYAMLError) -> Fault:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "it cannot be read"
    if mark is None:
        return Fault((), f"is not YAML: {problem}")
    place = Place(mark.line + 1, mark.column + 1)
    lines = text.split("\n")
    line = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())] or "'\\t'" in problem:
        return Fault((), "a tab stands where YAML takes spaces only; use two spaces", place)
    if "alias" in f"{error.context} {problem}":
        return Fault((), "a text that begins with `*` or `&` needs quotes around it", place)
    return Fault((), f"this is not YAML: {problem}; look at the indentation and colons", place)


def _character_fault(text: str, position: int) -> Fault:
    before = text[:position]
    place = Place(before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1)
    return Fault((), "a control character stands here, which YAML does not allow", place)
