"""One connected client: its protocol, its documents, its settings and its application."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from lsprotocol import types
from pygls.lsp.server import LanguageServer
from pygls.protocol import default_converter

import ringfence

from .application_port import Application, ApplicationFactory, Severity
from .capabilities import ClientCapabilities
from .channel import Channel
from .documents import EditorWorkspace
from .editor_settings import EditorSettings
from .errors import ErrorCode
from .framing import Body
from .lazy_application import LazyApplication
from .log import follow_session
from .protocol import RAW_PARAMS, EditorProtocol, LifeCycle, log_failure
from .structure import warm_converter

if TYPE_CHECKING:
    from ringfence.context.document import DocumentSnapshot

    from .execute_command import CommandHandler

logger = logging.getLogger(__name__)

#: Time that the application gets to stop, in seconds.
_CLOSE_SECONDS = 5.0

_SEVERITIES: Mapping[Severity, types.MessageType] = {
    "error": types.MessageType.Error,
    "warning": types.MessageType.Warning,
    "info": types.MessageType.Info,
}


class QuietLanguageServer(LanguageServer):
    """The server of pygls, which tells the user nothing of errors by itself."""

    def report_server_error(self, error: Exception, source: Any) -> None:
        """Log the kind of error; its text may hold what is not for logs."""
        logger.error("%s in %s.", type(error).__name__, getattr(source, "__name__", "pygls"))


class Session:
    """Everything that belongs to one client.

    Args:
        make_application: makes the application, when it is first needed.

    Attributes:
        server: the features, and typed calls to the client.
        protocol: the conversation.
        capabilities: what the client can do; known after ``initialize``.
        settings: the editor's ``ringfence`` settings.
        initialized: set once the client has said what it can do.
        commands: what ``workspace/executeCommand`` runs, by name.
        before_capabilities: called during ``initialize``, when the client's capabilities
            are known and the server's are not yet computed.
        loop: the event loop that the session lives on.
    """

    def __init__(self, make_application: ApplicationFactory) -> None:
        self.server = QuietLanguageServer(
            "ringfence",
            ringfence.__version__,
            protocol_cls=EditorProtocol,
            converter_factory=default_converter,
            notebook_document_sync=_notebook_sync(),
        )
        protocol = self.server.protocol
        assert isinstance(protocol, EditorProtocol)
        self.protocol = protocol
        self.protocol.on_initialize = self._on_initialize
        self.capabilities = ClientCapabilities()
        self.initialized = asyncio.Event()
        self.client_name = ""
        self.settings = EditorSettings(self)
        self.commands: dict[str, CommandHandler] = {}
        self.before_capabilities: list[Callable[[], None]] = []
        self.loop = asyncio.get_running_loop()
        self._application = LazyApplication(make_application, self, self.settings.apply)
        self._shown: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def workspace(self) -> EditorWorkspace:
        """The open documents."""
        workspace = self.protocol.workspace
        assert isinstance(workspace, EditorWorkspace)
        return workspace

    @property
    def process_id(self) -> int | None:
        """The client's process, if it said."""
        return self.server.process_id

    async def application(self) -> Application:
        """Return the application, with the folders and settings that hold now."""
        application = await self._application.get()
        await self.settings.current()
        return application

    def application_if_ready(self) -> Application | None:
        """Return the application if it is there already."""
        return self._application.ready()

    def spawn(self, work: Coroutine[Any, Any, Any], what: str) -> None:
        """Run something in the background until the session ends; failures are logged."""

        async def guarded() -> None:
            try:
                await work
            except Exception:
                log_failure(what)

        task = self.loop.create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # What the application may use

    def show_once(self, kind: str, message: str, severity: Severity = "error") -> None:
        """Show the user one sentence, unless one of the same ``kind`` was shown before."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._show_once, kind, message, severity)

    def documents(self) -> tuple[DocumentSnapshot, ...]:
        """Return the open documents as they are now."""
        if self.protocol.life_cycle is LifeCycle.NEW:
            return ()
        return self.workspace.snapshots()

    # The conversation

    async def serve(self, channel: Channel, client_gone: asyncio.Event | None = None) -> int:
        """Talk with the client until it leaves.

        Args:
            channel: the connection.
            client_gone: set by somebody who watches the client's process.

        Returns:
            The exit code that LSP asks for: 0 if the client said ``shutdown`` before.
        """
        follow_session(self)
        self.protocol.connect(channel.send)
        endings = [
            asyncio.create_task(self._receive(channel)),
            asyncio.create_task(self.protocol.ended.wait()),
        ]
        if client_gone is not None:
            endings.append(asyncio.create_task(client_gone.wait()))
        try:
            await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._close(endings, channel)
        return 0 if self.protocol.life_cycle is LifeCycle.SHUT_DOWN else 1

    async def _receive(self, channel: Channel) -> None:
        async for frame in channel.frames():
            if isinstance(frame, Body):
                try:
                    self.protocol.receive(frame.content)
                except Exception:
                    # One message must not end the conversation for all others.
                    log_failure("Reading a message")
            else:
                self.protocol.answer_error(None, ErrorCode.PARSE_ERROR, frame.reason)
                if frame.fatal:
                    return
            # What was just received starts now: the next message may depend on it.
            await asyncio.sleep(0)

    async def _close(self, endings: list[asyncio.Task[Any]], channel: Channel) -> None:
        for task in [*endings, *self._tasks]:
            task.cancel()
        await asyncio.gather(*endings, *self._tasks, return_exceptions=True)
        await self.protocol.disconnect()
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._application.aclose()
        except TimeoutError:
            logger.warning("Closing took too long and was given up.")
        except Exception as error:
            logger.warning("Closing failed: %s.", type(error).__name__)
        await channel.aclose()

    def _on_initialize(self, params: types.InitializeParams) -> None:
        raw = RAW_PARAMS.get()
        self.capabilities = ClientCapabilities.read(raw)
        self.client_name = params.client_info.name if params.client_info else ""
        self.settings.take_initial(raw.get("initializationOptions"))
        for prepare in self.before_capabilities:
            prepare()
        self.initialized.set()

    async def warm_up(self) -> None:
        """Do what the first completion would otherwise wait for."""
        warm_converter(self.protocol.converter)
        try:
            await self._application.get()
        except Exception:
            self.show_once("start", "Ringfence could not start; its log has the reason.")
            raise

    def _show_once(self, kind: str, message: str, severity: Severity) -> None:
        if kind in self._shown:
            return
        self._shown.add(kind)
        params = types.ShowMessageParams(type=_SEVERITIES[severity], message=message)
        self.server.window_show_message(params)


def _notebook_sync() -> types.NotebookDocumentSyncOptions:
    every_notebook = types.NotebookDocumentFilterWithNotebook(notebook="*")
    return types.NotebookDocumentSyncOptions(notebook_selector=[every_notebook])
