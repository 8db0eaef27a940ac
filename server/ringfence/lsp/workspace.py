"""Workspace folders and the editor's settings: ``initialized`` and what changes later."""

from __future__ import annotations

from lsprotocol import types

from .protocol import RAW_PARAMS
from .session import Session


def register(session: Session) -> None:
    """Follow folders and settings."""

    @session.server.feature(types.INITIALIZED)
    async def initialized(_: types.InitializedParams) -> None:
        session.spawn(session.warm_up(), "Starting")
        if session.capabilities.dynamic_configuration:
            session.spawn(_watch_configuration(session), "Asking for changes of settings")

    @session.server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def did_change_configuration(_: types.DidChangeConfigurationParams) -> None:
        session.settings.take_pushed(RAW_PARAMS.get().get("settings"))

    @session.server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def did_change_workspace_folders(_: types.DidChangeWorkspaceFoldersParams) -> None:
        session.settings.invalidate()


async def _watch_configuration(session: Session) -> None:
    options = types.DidChangeConfigurationRegistrationOptions(section="ringfence")
    method = types.WORKSPACE_DID_CHANGE_CONFIGURATION
    registration = types.Registration(id=method, method=method, register_options=options)
    params = types.RegistrationParams([registration])
    await session.server.client_register_capability_async(params)
