"""The user's Python package index: which one it is, and what it says about a project.

The index is found the way pip and uv find it: environment, then pip's configuration
files, then the public index. Pages are read as PEP 691 JSON, or as PEP 503 HTML where an
index knows no JSON. Nothing is installed or run.
"""

from __future__ import annotations

import base64
import configparser
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import httpx2

from ringfence.engine.errors import SourceFailed

from .web import Web, refusal

PUBLIC_INDEX = "https://pypi.org/simple"

_ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.1"
)


@dataclass(frozen=True, slots=True)
class IndexFile:
    """A file that an index offers.

    Attributes:
        sha256: its digest, where the index tells it.
        headers: what to send when fetching it.
    """

    name: str
    url: str
    sha256: str | None
    headers: Mapping[str, str]


def index_urls(environment: Mapping[str, str], config_files: Iterable[Path]) -> tuple[str, ...]:
    """Return the indexes to ask, in order.

    Args:
        environment: variables of the process.
        config_files: pip's configuration files, the one that wins last.
    """
    if environment.get("PIP_NO_INDEX", "").lower() in ("1", "true", "yes", "on"):
        return ()
    configured: dict[str, str] = {}
    for path in config_files:
        configured.update(_pip_settings(path))
    main = (
        environment.get("PIP_INDEX_URL")
        or environment.get("UV_DEFAULT_INDEX")
        or environment.get("UV_INDEX_URL")
        or configured.get("index-url")
        or PUBLIC_INDEX
    )
    extra = environment.get("PIP_EXTRA_INDEX_URL") or configured.get("extra-index-url") or ""
    candidates = [main, *extra.split(), *environment.get("UV_INDEX", "").split()]
    urls = [_without_name(url).rstrip("/") for url in candidates]
    return tuple(dict.fromkeys(url for url in urls if url.startswith(("http://", "https://"))))


def pip_config_files(environment: Mapping[str, str]) -> tuple[Path, ...]:
    """Return where pip's configuration files would be, the one that wins last."""
    home = Path.home()
    name = "pip.ini" if sys.platform == "win32" else "pip.conf"
    if sys.platform == "win32":
        everyone = [Path(environment.get("PROGRAMDATA", r"C:\ProgramData")) / "pip" / name]
        own = [home / "pip" / name, Path(environment.get("APPDATA", str(home))) / "pip" / name]
    else:
        shared = environment.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep)
        everyone = [Path(folder) / "pip" / name for folder in shared]
        everyone.append(Path("/etc") / name)
        config = Path(environment.get("XDG_CONFIG_HOME") or home / ".config")
        own = [home / ".pip" / name, config / "pip" / name]
        if sys.platform == "darwin":
            everyone.insert(0, Path("/Library/Application Support/pip") / name)
            own.append(home / "Library/Application Support/pip" / name)
    files = [*everyone, *own, Path(sys.prefix) / name]
    chosen = environment.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return ()
    return (*files, Path(chosen)) if chosen else tuple(files)


async def find_wheel(web: Web, indexes: tuple[str, ...], project: str, version: str) -> IndexFile:
    """Return the wheel of one version of a project, from the first index that has it.

    Raises:
        SourceFailed: when no index has it.
    """
    if not indexes:
        raise SourceFailed("no package index may be used (pip is set to no-index)")
    failures = []
    for index in indexes:
        try:
            files = await _files(web, index, project)
        except SourceFailed as failure:
            failures.append(str(failure))
            continue
        prefix = f"{re.sub(r'[-_.]+', '_', project).lower()}-{version}-"
        for file in files:
            if file.name.lower().startswith(prefix) and file.name.endswith(".whl"):
                return file
        failures.append(f"{httpx2.URL(index).host} has no wheel of {project} {version}")
    raise SourceFailed("; ".join(failures))


async def _files(web: Web, index: str, project: str) -> list[IndexFile]:
    base = httpx2.URL(index)
    headers = {"Accept": _ACCEPT}
    login = _login(base)
    page = f"{base.copy_with(userinfo=b'')}/{re.sub(r'[-_.]+', '-', project).lower()}/"
    response, body = await web.document(page, headers | login)
    if response.status_code != 200:
        raise SourceFailed(f"{project}: {refusal(base.host, response.status_code)}")
    found: list[tuple[str, str, str | None]] = []
    if "json" in response.headers.get("Content-Type", ""):
        found = _from_json(body, base.host)
    else:
        found = _from_html(body)
    files = []
    for name, reference, sha256 in found:
        url = response.url.join(reference).copy_with(fragment=None)
        same = (url.scheme, url.host, url.port) == (base.scheme, base.host, base.port)
        files.append(IndexFile(name, str(url), sha256, login if same else {}))
    return files


def _from_json(body: bytes, host: str) -> list[tuple[str, str, str | None]]:
    try:
        page: Any = json.loads(body)
        return [
            (entry["filename"], entry["url"], entry.get("hashes", {}).get("sha256"))
            for entry in page["files"]
        ]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceFailed(f"the answer of {host} is no index page") from error


def _from_html(body: bytes) -> list[tuple[str, str, str | None]]:
    parser = _Links()
    parser.feed(body.decode("utf-8", "replace"))
    found = []
    for link in parser.links:
        match = re.search(r"[#&]sha256=([0-9a-fA-F]{64})", link)
        name = httpx2.URL(link.partition("#")[0]).path.rsplit("/", 1)[-1]
        found.append((name, link, match[1].lower() if match else None))
    return found


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        link = dict(attrs).get("href")
        if tag == "a" and link:
            self.links.append(link)


def _login(url: httpx2.URL) -> dict[str, str]:
    if not url.username:
        return {}
    pair = base64.b64encode(f"{url.username}:{url.password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _without_name(url: str) -> str:
    """Drop the name that uv allows before an index, as in ``company=https://...``."""
    name, separator, rest = url.partition("=")
    return rest if separator and "/" not in name and ":" not in name else url


def _pip_settings(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read(path, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return {}
    settings: dict[str, str] = {}
    for section in ("global", "install", "download"):
        if parser.has_section(section):
            settings.update(parser.items(section))
    return settings
