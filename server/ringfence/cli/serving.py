"""Serves editors; kept small, since an editor waits for it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ringfence.lsp.run import OnListening, serve_stdio, serve_tcp, serve_websocket

if TYPE_CHECKING:
    from ringfence.application import Application
    from ringfence.lsp.application_port import Editor


def make_application(editor: Editor) -> Application:
    """Return the application of one connection, by the user's configuration.

    It runs in a worker thread, after the reply to ``initialize``: that is why it imports here.
    """
    from ringfence.application import Application
    from ringfence.config.load import load_settings
    from ringfence.config.locate import find_directories

    return Application(load_settings(), find_directories(), editor.show_once)


def serve_over_stdio(log_level: int = logging.INFO) -> int:
    """Serve the editor that started this process; returns the exit code."""
    return serve_stdio(make_application, log_level=log_level)


def serve_over_tcp(host: str, port: int, log_level: int, on_listening: OnListening) -> int:
    """Serve clients that connect by TCP; returns the exit code.

    Raises:
        AddressUnavailable: when the address cannot be had.
    """
    return serve_tcp(make_application, host, port, on_listening=on_listening, log_level=log_level)


def serve_over_websocket(host: str, port: int, log_level: int, on_listening: OnListening) -> int:
    """Serve clients that connect by WebSocket; returns the exit code.

    Raises:
        AddressUnavailable: when the address cannot be had.
    """
    return serve_websocket(
        make_application, host, port, on_listening=on_listening, log_level=log_level
    )
