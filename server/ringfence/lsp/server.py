"""Puts a session together: every feature of the language server, registered."""

from __future__ import annotations

from collections.abc import Mapping

from . import (
    completion,
    did_partially_accept,
    did_show_completion,
    execute_command,
    inline_completion,
    text_sync,
    workspace,
)
from .application_port import ApplicationFactory
from .completion_requests import CompletionRequests
from .execute_command import COMMANDS, CommandHandler
from .session import Session


def build_session(
    make_application: ApplicationFactory, commands: Mapping[str, CommandHandler] = COMMANDS
) -> Session:
    """Return a session with every feature, for one client; call it on the event loop.

    Args:
        make_application: makes the application, when it is first needed.
        commands: what ``workspace/executeCommand`` runs, by name.
    """
    session = Session(make_application)
    requests = CompletionRequests(session)
    workspace.register(session)
    text_sync.register(session, requests)
    inline_completion.register(session, requests)
    completion.register(session, requests)
    did_show_completion.register(session)
    did_partially_accept.register(session)
    execute_command.register(session, commands)
    return session
