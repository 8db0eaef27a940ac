"""The user's own policy rules, as the ring takes them."""

from __future__ import annotations

from ringfence.privacy import FolderRule

from .settings import Settings


def folder_rules(settings: Settings) -> list[FolderRule]:
    """Return what the configuration says of each folder."""
    return [
        FolderRule(
            workspace.path.expanduser(),
            workspace.allow,
            workspace.never_send,
            workspace.redact_secrets,
        )
        for workspace in settings.workspaces
    ]
