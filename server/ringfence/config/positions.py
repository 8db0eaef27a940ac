"""YAML as plain values, with the line and column of every key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

KeyPath: TypeAlias = tuple[str | int, ...]


class YamlProblem(Exception):
    """The text is no YAML that a configuration may be.

    Attributes:
        line: one-based.
        column: one-based.
    """

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


@dataclass(slots=True)
class Located:
    """Plain values and where their keys stand, both one-based."""

    value: Any = None
    positions: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)

    def position(self, path: KeyPath) -> tuple[int, int]:
        """Return line and column of a key, or of the nearest that encloses it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.positions:
                return self.positions[path[:length]]
        return (1, 1)


def parse_yaml(text: str) -> Located:
    """Parse ``text``.

    Raises:
        YamlProblem: when it is no YAML, has a key twice or an alias, or a key that is no
            string. Aliases are refused since they make small files huge.
    """
    located = Located()
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        located.value = _plain(node, (), located) if node is not None else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = error.problem or "it is no YAML"
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise YamlProblem(_plainer(words), line, column) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise YamlProblem("it is no YAML that can be read", 1, 1) from error
    return located


def _plain(
    node: yaml.Node, path: KeyPath, located: Located, seen: frozenset[int] = frozenset()
) -> Any:
    line, column = node.start_mark.line + 1, node.start_mark.column + 1
    located.positions.setdefault(path, (line, column))
    if id(node) in seen or len(path) > 32:
        raise YamlProblem("it is nested too deeply", line, column)
    seen = seen | {id(node)}
    if isinstance(node, yaml.MappingNode):
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = _key(key_node)
            mark = key_node.start_mark
            if key in values:
                raise YamlProblem(f"the key {key!r} is there twice", mark.line + 1, mark.column + 1)
            located.positions[(*path, key)] = (mark.line + 1, mark.column + 1)
            values[key] = _plain(value_node, (*path, key), located, seen)
        return values
    if isinstance(node, yaml.SequenceNode):
        return [
            _plain(item, (*path, index), located, seen) for index, item in enumerate(node.value)
        ]
    constructor = yaml.SafeLoader("")
    try:
        return constructor.construct_object(node, deep=True)
    finally:
        constructor.dispose()


def _key(node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise YamlProblem(
            "a key must be a word", node.start_mark.line + 1, node.start_mark.column + 1
        )
    return str(node.value)


def _plainer(words: str) -> str:
    if "'\\t'" in words:
        return "a tab stands where YAML wants spaces"
    return words
