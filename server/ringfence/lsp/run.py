"""Runs the language server over one of its transports, until it is told to end."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeAlias

from .application_port import ApplicationFactory
from .channel import Channel
from .client_watch import wait_until_gone
from .execute_command import COMMANDS, CommandHandler
from .log import start_logging
from .server import build_session
from .session import Session

logger = logging.getLogger(__name__)

Commands: TypeAlias = Mapping[str, CommandHandler]

#: Called with the port once the server listens; a port of 0 lets the system choose one.
OnListening: TypeAlias = Callable[[int], None]


class AddressUnavailable(Exception):
    """The server cannot listen at the address; the message names it and the remedy."""


def serve_stdio(
    make_session: ApplicationFactory,
    *,
    commands: Commands = COMMANDS,
    log_level: int = logging.INFO,
) -> int:
    """Serve the editor that started this process, over its standard streams.

    Args:
        make_session: makes the application of a connection.
        commands: what ``workspace/executeCommand`` runs, by name.
        log_level: the least level of what is logged.

    Returns:
        The exit code.
    """

    async def main() -> int:
        from .transports.stdio import open_stdio

        channel = await open_stdio()
        session = build_session(make_session, commands)
        return await _serve_watched(session, channel)

    return _run(main(), log_level)


def serve_tcp(
    make_session: ApplicationFactory,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    commands: Commands = COMMANDS,
    on_listening: OnListening | None = None,
    log_level: int = logging.INFO,
) -> int:
    """Serve any number of clients over TCP, each with a session of its own.

    Returns:
        The exit code, once the process is told to end.

    Raises:
        AddressUnavailable: when the address cannot be had.
    """

    async def main() -> int:
        from .transports.tcp import listen_tcp

        return await _listen(listen_tcp, make_session, host, port, commands, on_listening)

    return _run(main(), log_level)


def serve_websocket(
    make_session: ApplicationFactory,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    commands: Commands = COMMANDS,
    on_listening: OnListening | None = None,
    log_level: int = logging.INFO,
) -> int:
    """Serve any number of clients over WebSocket, each with a session of its own.

    Returns:
        The exit code, once the process is told to end.

    Raises:
        AddressUnavailable: when the address cannot be had.
    """

    async def main() -> int:
        from .transports.websocket import listen_websocket

        return await _listen(listen_websocket, make_session, host, port, commands, on_listening)

    return _run(main(), log_level)


async def _serve_watched(session: Session, channel: Channel) -> int:
    gone = asyncio.Event()

    async def watch() -> None:
        await session.initialized.wait()
        if session.process_id is not None and await wait_until_gone(session.process_id):
            logger.info("The editor's process has ended.")
            gone.set()

    session.spawn(watch(), "Watching the editor's process")
    return await session.serve(channel, gone)


async def _listen(
    listen: Callable[..., Coroutine[Any, Any, Any]],
    make_session: ApplicationFactory,
    host: str,
    port: int,
    commands: Commands,
    on_listening: OnListening | None,
) -> int:
    async def serve(channel: Channel) -> None:
        await build_session(make_session, commands).serve(channel)

    try:
        server = await listen(host, port, serve)
    except OSError as error:
        raise AddressUnavailable(
            f"Cannot listen at {host}:{port} ({error.strerror or type(error).__name__}); "
            "choose another port, or end what uses it."
        ) from None
    if not _is_loopback(host):
        logger.warning("Whoever can reach %s can use this server and see its answers.", host)
    chosen = server.sockets[0].getsockname()[1]
    logger.info("Listening at %s:%d.", host, chosen)
    if on_listening is not None:
        on_listening(chosen)
    async with server:
        await asyncio.get_running_loop().create_future()
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _run(main: Coroutine[Any, Any, int], log_level: int) -> int:
    start_logging(log_level)
    try:
        return asyncio.run(_until_terminated(main))
    except KeyboardInterrupt:
        return 0


async def _until_terminated(main: Coroutine[Any, Any, int]) -> int:
    """Run ``main``; a signal to terminate cancels it, so that everything is closed."""
    task = asyncio.ensure_future(main)
    if sys.platform != "win32":
        with contextlib.suppress(ValueError, RuntimeError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        return await task
    except asyncio.CancelledError:
        return 0
