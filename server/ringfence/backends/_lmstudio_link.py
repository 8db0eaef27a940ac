"""What LM Studio tells of LM Link, over the WebSocket of its own SDK.

Its HTTP interface answers for models of linked devices as if they were its own.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from typing import Any

from ._http import Server
from ._json import dict_of, dicts_of, text_of
from .errors import BackendError, InvalidAnswer

_PURPOSE = "asking where models are computed"

#: An LM Studio API token is a client's name and passkey.
_TOKEN = re.compile(r"sk-lm-([a-zA-Z0-9]{8}):([a-zA-Z0-9]{20})")


@dataclass(frozen=True, slots=True)
class Link:
    """What is known of LM Link.

    Attributes:
        off: whether LM Link is off, so that every model is this server's own.
        own: the models that this server has itself.
        others: the models that linked devices have.
    """

    off: bool
    own: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()

    def computes(self, model: str) -> bool:
        """Whether a model is certainly computed by this server itself.

        A model that a linked device has too may be asked there: LM Studio prefers a
        device of the user's choice.
        """
        return self.off or (model in self.own and model not in self.others)


async def ask_link(server: Server) -> Link | None:
    """Ask a server for what it knows of LM Link; None when it does not tell."""
    try:
        status = dict_of(await _call(server, "/repository", "lmLinkStatus"))
        if status.get("status") == "offline" and not status.get("peers"):
            return Link(off=True)
        if not text_of(status.get("status")):
            return None
        models = dicts_of(await _call(server, "/system", "listDownloadedModels"))
    except BackendError:
        return None
    return Link(
        off=False,
        own=_keys([model for model in models if model.get("deviceIdentifier", "") is None]),
        others=_keys([model for model in models if model.get("deviceIdentifier", "") is not None]),
    )


def _keys(models: list[Any]) -> frozenset[str]:
    return frozenset(text_of(model.get("modelKey")) for model in models)


async def _call(server: Server, namespace: str, endpoint: str) -> Any:
    async with server.socket(namespace, _PURPOSE) as socket:
        if socket is None:
            raise InvalidAnswer(server.name, f"{server.name!r} has no socket.")
        token = _TOKEN.fullmatch(server.endpoint.api_key or "")
        name, passkey = (
            token.groups()
            if token
            else (f"guest:{secrets.token_urlsafe(18)}", secrets.token_urlsafe(18))
        )
        await socket.send({"authVersion": 1, "clientIdentifier": name, "clientPasskey": passkey})
        if dict_of(await socket.receive()).get("success") is not True:
            raise InvalidAnswer(server.name, f"{server.name!r} did not let us in.")
        await socket.send({"type": "rpcCall", "endpoint": endpoint, "callId": 0})
        while True:
            message = dict_of(await socket.receive())
            if message.get("type") == "rpcResult":
                return message.get("result")
            if message.get("type") == "rpcError":
                raise InvalidAnswer(server.name, f"{server.name!r} did not tell.")
