"""``ringfence.setPolicy`` and ``ringfence.explainRoute``: how far code may travel, and why."""

from __future__ import annotations

from typing import Any, cast

from lsprotocol import types

from .application_port import Governing, PolicyChange
from .errors import InvalidParams, RequestFailed
from .session import Session

ALLOW = "Allow"
KEEP = "Keep as it is"


async def set_policy(session: Session, arguments: list[Any]) -> dict[str, Any]:
    """Change a folder's policy; farther than now only with the user's own yes.

    Arguments: ``{uri, allow}``, a folder or a document in it, and a zone.
    """
    from ringfence.config.edit import ConfigNotEdited
    from ringfence.privacy import Zone

    options = _options(arguments)
    uri, word = options.get("uri"), options.get("allow")
    if not isinstance(uri, str) or not isinstance(word, str):
        raise InvalidParams("The command takes {uri, allow}.")
    try:
        zone = Zone.parse(word)
    except ValueError:
        raise InvalidParams("allow is device, network or cloud.") from None
    application = cast("Governing", await session.application())
    change = application.plan_policy(uri, zone)
    if change is None:
        raise RequestFailed("There is no folder at this place whose policy could be set.")
    result: dict[str, Any] = {"folder": change.folder.as_uri(), "before": change.before.label}
    if change.loosens and not await _agreed(session, change):
        return {**result, "changed": False, "allow": change.before.label}
    try:
        note = await application.change_policy(change)
    except ConfigNotEdited as error:
        raise RequestFailed(str(error)) from None
    return {**result, "changed": True, "allow": change.after.label, "note": note}


async def explain_route(session: Session, arguments: list[Any]) -> dict[str, Any]:
    """Explain which model would do a task; nothing is sent.

    Arguments: ``{task?, uri?, promptTokens?, tools?}``.
    """
    from ringfence.routing.task import TaskKind

    options = _options(arguments or [{}])
    uri = options.get("uri")
    prompt_tokens, tools = options.get("promptTokens", 1000), options.get("tools", 0)
    try:
        kind = TaskKind(options.get("task", "completion"))
    except ValueError:
        raise InvalidParams(f"task is one of {', '.join(TaskKind)}.") from None
    if not isinstance(prompt_tokens, int) or not isinstance(tools, int):
        raise InvalidParams("promptTokens and tools are numbers.")
    application = cast("Governing", await session.application())
    place = uri if isinstance(uri, str) else None
    return await application.explain_route(place, kind, prompt_tokens, tools)


async def _agreed(session: Session, change: PolicyChange) -> bool:
    """Ask the user; whoever cannot be asked has not agreed."""
    if not session.capabilities.show_message_request:
        return False
    message = (
        f"Code of {change.folder.name!r} stays within {change.before.label!r} now. "
        f"Let it reach {change.after.label!r}?"
    )
    answer = await session.server.window_show_message_request_async(
        types.ShowMessageRequestParams(
            type=types.MessageType.Warning,
            message=message,
            actions=[types.MessageActionItem(ALLOW), types.MessageActionItem(KEEP)],
        )
    )
    return answer is not None and answer.title == ALLOW


def _options(arguments: list[Any]) -> dict[str, Any]:
    if len(arguments) != 1 or not isinstance(arguments[0], dict):
        raise InvalidParams("The command takes one object.")
    return arguments[0]
