"""From an editor's URI to a place on this disk, if it is one."""

from __future__ import annotations

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Schemes whose path is the path of a file on this disk.
_ON_DISK = ("file", "vscode-notebook-cell", "untitled")


def path_of(uri: str) -> Path | None:
    """Return the absolute path that ``uri`` names, or None when it names none.

    A notebook's cell is judged as its notebook. An unsaved buffer that has a path will
    be saved there, and is judged so; one without has no place, nor have documents of
    another machine (``vscode-remote:``) or of an extension.
    """
    parts = urlsplit(uri)
    if parts.scheme not in _ON_DISK or (parts.netloc not in ("", "localhost") and os.name != "nt"):
        return None
    path = unquote(parts.path)
    if "\0" in path:
        return None
    if os.name == "nt":
        path = f"//{parts.netloc}{path}" if parts.netloc else re.sub(r"^/([A-Za-z]:)", r"\1", path)
    if not os.path.isabs(path):  # noqa: PTH117 - pure text so far
        return None
    return Path(os.path.normpath(path))


def resolved(path: Path) -> Path:
    """Return ``path`` with all symbolic links followed, as far as it exists."""
    try:
        return path.resolve(strict=False)
    except (OSError, RuntimeError):
        return path


def identity(path: Path) -> tuple[int, int] | None:
    """Return what makes a folder the same by whatever name, or None if it is not there.

    Device and inode see through symbolic links and through the case of letters.
    """
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino)
