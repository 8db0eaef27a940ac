"""Writes one workspace's policy into the user's configuration, and touches nothing else.

The text is edited in place, so that comments and layout stay as they are. What comes out
is loaded again before it is written: it must say what was wanted, and otherwise the same.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import yaml

from ringfence.privacy import Zone

from .load import Loaded, parse_settings
from .settings import Settings, WorkspaceSettings

#: How often to begin again when somebody else writes the file at the same time.
_ATTEMPTS = 3


class ConfigNotEdited(Exception):
    """The configuration was left as it is; the message says why, and what to write by hand."""


def set_workspace_policy(path: Path, folder: Path, allow: Zone) -> None:
    """Set how far the code of ``folder`` may travel, in the configuration at ``path``.

    The entry of that very folder is changed; where there is none, one is added. A missing
    file is made, readable by its user alone.

    Raises:
        ConfigNotEdited: when the file has errors, cannot be edited safely, or not written.
    """
    # A link stays a link: what it points to is replaced.
    path = path.resolve()
    try:
        for _ in range(_ATTEMPTS):
            before = path.read_bytes() if path.exists() else b""
            after = _edited(before, path, folder, allow)
            if after == before or _replace(path, before, after):
                return
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConfigNotEdited(f"{path} cannot be changed: {reason.lower()}.") from error
    raise ConfigNotEdited(f"{path} is being changed by another program; try again.")


def _edited(before: bytes, path: Path, folder: Path, allow: Zone) -> bytes:
    text = before.decode("utf-8-sig")
    loaded = parse_settings(text, path)
    if loaded.errors:
        raise ConfigNotEdited(f"Mend the configuration first: {loaded.errors[0].message}")
    edited = _edit(text, loaded.settings, folder, allow)
    if not _is_what_was_wanted(loaded, parse_settings(edited, path), folder, allow):
        raise ConfigNotEdited(
            f"{path} is laid out in a way that cannot be edited safely; write this under "
            f"`workspaces` yourself: {_entry(folder, allow)}"
        )
    mark = before[:3] if before.startswith(b"\xef\xbb\xbf") else b""
    return mark + edited.encode()


def _edit(text: str, settings: Settings, folder: Path, allow: Zone) -> str:
    """Return the text with the entry of ``folder`` changed or added; a first attempt."""
    newline = "\r\n" if "\r\n" in text else "\n"
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    workspaces = _value(root, "workspaces")
    index = _index(settings, folder)
    if index is not None and isinstance(workspaces, yaml.SequenceNode):
        return _change(text, workspaces.value[index], allow, newline)
    entry = _entry(folder, allow)
    if isinstance(workspaces, yaml.SequenceNode) and workspaces.flow_style:
        start = workspaces.start_mark.index + 1
        comma = ", " if workspaces.value else ""
        return text[:start] + entry + comma + text[start:]
    if isinstance(workspaces, yaml.SequenceNode):
        end = _line_end(text, max(_ends(workspaces)))
        indent = " " * workspaces.start_mark.column
        return f"{text[:end]}{newline}{indent}- {entry}{text[end:]}"
    if workspaces is not None:
        # The key stands there without a value, or with a null in words.
        start, end = workspaces.start_mark.index, workspaces.end_mark.index
        return f"{text[:start].rstrip(' ')} [{entry}]{text[end:]}"
    gap = "" if not text or text.endswith("\n") else newline
    return f"{text}{gap}workspaces:{newline}  - {entry}{newline}"


def _change(text: str, entry: yaml.Node, allow: Zone, newline: str) -> str:
    value = _value(entry, "allow")
    if value is not None:
        start, end = value.start_mark.index, value.end_mark.index
        gap = "" if start and text[start - 1] in " \t" else " "
        return text[:start] + gap + allow.label + text[end:]
    first = entry.start_mark
    if isinstance(entry, yaml.MappingNode) and entry.flow_style:
        start = first.index + 1
        return f"{text[:start]}allow: {allow.label}, {text[start:]}"
    indent = " " * first.column
    return f"{text[: first.index]}allow: {allow.label}{newline}{indent}{text[first.index :]}"


def _entry(folder: Path, allow: Zone) -> str:
    quoted = yaml.safe_dump(
        str(folder), default_style='"', allow_unicode=True, width=float("inf")
    ).rstrip("\n")
    return f"{{path: {quoted}, allow: {allow.label}}}"


def _value(mapping: yaml.Node | None, key: str) -> yaml.Node | None:
    if isinstance(mapping, yaml.MappingNode):
        for key_node, value in mapping.value:
            if isinstance(key_node, yaml.ScalarNode) and key_node.value == key:
                found: yaml.Node = value
                return found
    return None


def _ends(node: yaml.Node) -> list[int]:
    """Return where the values inside end; a block itself ends at whatever follows it."""
    if isinstance(node, yaml.SequenceNode) and not node.flow_style:
        return [end for item in node.value for end in _ends(item)]
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        return [end for pair in node.value for item in pair for end in _ends(item)]
    return [node.end_mark.index]


def _line_end(text: str, index: int) -> int:
    """Return the end of the line that holds the character before ``index``."""
    while index and text[index - 1] in "\r\n":
        # A block of text ends behind its last line.
        index -= 1
    end = text.find("\n", index)
    end = len(text) if end < 0 else end
    return end - 1 if end and text[end - 1 : end] == "\r" else end


def _index(settings: Settings, folder: Path) -> int | None:
    wanted = os.path.normpath(folder)
    for index, workspace in enumerate(settings.workspaces):
        if os.path.normpath(workspace.path) == wanted:
            return index
    return None


def _is_what_was_wanted(before: Loaded, after: Loaded, folder: Path, allow: Zone) -> bool:
    """Whether the new settings are the old ones with just the one entry changed or added."""
    old, new = before.settings, after.settings
    index = _index(old, folder)
    if index is None:
        wanted = [*old.workspaces, WorkspaceSettings(path=folder, allow=allow)]
    else:
        wanted = list(old.workspaces)
        wanted[index] = wanted[index].model_copy(update={"allow": allow})

    def unordered(workspaces: object) -> list[str]:
        return sorted(map(repr, workspaces if isinstance(workspaces, list | tuple) else ()))

    same_rest = old.model_copy(update={"workspaces": ()}) == new.model_copy(
        update={"workspaces": ()}
    )
    return not after.errors and same_rest and unordered(wanted) == unordered(new.workspaces)


def _replace(path: Path, before: bytes, after: bytes) -> bool:
    """Write the file in one step; False when somebody else has changed it meanwhile."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o600
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    aside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(after)
            file.flush()
            os.fsync(file.fileno())
        aside.chmod(mode)
        if (path.read_bytes() if path.exists() else b"") != before:
            return False
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return True
