"""How the server learns that a completion was shown or taken.

Items carry a command that most clients run on acceptance; clients made for Copilot's server
send two notifications of their own instead, whose items bring the same command back.
"""

from __future__ import annotations

from typing import Any

from lsprotocol import types

from .errors import InvalidParams

#: The command of a completion item.
ACCEPTED = "ringfence.accepted"


def acceptance_command(answer_id: str, index: int) -> types.Command:
    """Return the command that an item carries."""
    return types.Command(
        title="Note that the completion was taken", command=ACCEPTED, arguments=[answer_id, index]
    )


def read_arguments(arguments: Any) -> tuple[str, int]:
    """Return the answer's id and the candidate's index.

    Raises:
        InvalidParams: for anything but what ``acceptance_command`` made.
    """
    match arguments:
        case [str(answer_id), int(index)] if not isinstance(index, bool) and index >= 0:
            return answer_id, index
    raise InvalidParams(f"{ACCEPTED} takes the id of an answer and an index.")


def read_item(params: Any) -> tuple[str, int]:
    """Return the same from the item in a notification's params."""
    match params:
        case {"item": {"command": {"command": command, "arguments": arguments}}}:
            if command == ACCEPTED:
                return read_arguments(arguments)
    raise InvalidParams("The item is none that this server sent.")
