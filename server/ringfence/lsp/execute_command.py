"""``workspace/executeCommand``: a table of commands.

A handler is an ``async`` function of the session and the list of arguments. It runs in the
task of its request, so that cancelling the request cancels it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, TypeAlias

import ringfence

from .acceptance import ACCEPTED, read_arguments
from .errors import InvalidParams
from .governing import explain_route, set_policy
from .protocol import log_failure
from .session import Session

CommandHandler: TypeAlias = Callable[[Session, list[Any]], Awaitable[Any]]


async def status(session: Session, _: list[Any]) -> dict[str, Any]:
    """Return what goes on, as JSON; it answers even when the application cannot start."""
    server = {
        "version": ringfence.__version__,
        "client": session.client_name,
        "encoding": session.workspace.encoding.value,
        "documents": len(session.documents()),
        "capabilities": asdict(session.capabilities),
    }
    try:
        application = await session.application()
    except Exception:
        reference = log_failure("Starting")
        return {"server": server, "error": f"Not started; see {reference} in the log."}
    return {"server": server, **application.status()}


async def accepted(session: Session, arguments: list[Any]) -> None:
    """Note that a completion was taken."""
    answer_id, index = read_arguments(arguments)
    (await session.application()).accepted(answer_id, index)


#: The commands that every session has.
COMMANDS: Mapping[str, CommandHandler] = {
    "ringfence.status": status,
    "ringfence.setPolicy": set_policy,
    "ringfence.explainRoute": explain_route,
    ACCEPTED: accepted,
}


def register(session: Session, commands: Mapping[str, CommandHandler]) -> None:
    """Offer ``commands``."""
    session.commands.update(commands)
    for name, handler in commands.items():
        # pygls announces the names it knows; the table is what runs them.
        session.server.command(name)(handler)

    async def run_command(name: str, arguments: list[Any]) -> Any:
        handler = session.commands.get(name)
        if handler is None:
            raise InvalidParams("The command is not known.")
        return await handler(session, arguments)

    session.protocol.run_command = run_command
