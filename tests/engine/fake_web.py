"""A web server on the loopback interface that misbehaves as told."""

import hashlib
import io
import threading
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeWeb:
    """What is served, and what was asked for.

    Attributes:
        files: bodies by path, served with byte ranges.
        types: content types by path.
        headers: further headers by path.
        redirects: targets by path.
        statuses: statuses to answer with, by path, one per request.
        breaks: bytes after which to cut the connection, by path, one per request.
        without_ranges: paths whose ranges are ignored.
        requests: path and headers of each request.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    breaks: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    without_ranges: set[str] = field(default_factory=set)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    url: str = ""

    def asked(self, path: str) -> list[dict[str, str]]:
        """The headers of each request for ``path``, names in lower case."""
        return [headers for asked, headers in self.requests if asked == path]

    def __enter__(self) -> "FakeWeb":
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path
        sent = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append((path, sent))
        extra = self.headers.get(path, {})
        if self.statuses[path]:
            return _send(handler, self.statuses[path].pop(0), b"", extra)
        if path in self.redirects:
            return _send(handler, 302, b"", {"Location": self.redirects[path], **extra})
        if path not in self.files:
            return _send(handler, 404, b"", extra)
        body, status = self.files[path], 200
        wanted = sent.get("range", "")
        if wanted and path not in self.without_ranges:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
            if start >= len(body):
                return _send(handler, 416, b"", {"Content-Range": f"bytes */{len(body)}"})
            extra = {**extra, "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            body, status = body[start:], 206
        extra = {"Content-Type": self.types.get(path, "application/octet-stream"), **extra}
        cut = self.breaks[path].pop(0) if self.breaks[path] else None
        return _send(handler, status, body, extra, cut)


def _send(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    headers: dict[str, str],
    cut: int | None = None,
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body if cut is None else body[:cut])
    if cut is not None:
        handler.close_connection = True


def wheel(member: str, content: bytes, *more: tuple[str, bytes]) -> bytes:
    """Return a wheel that carries ``content``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("package/__init__.py", "raise SystemExit('this must never be run')")
        archive.writestr(member, content)
        for name, data in more:
            archive.writestr(name, data)
    return buffer.getvalue()


def sha256(data: bytes) -> str:
    """Return a digest in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
