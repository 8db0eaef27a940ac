"""What the client can do, read once from its ``initialize`` request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class ClientCapabilities:
    """What the rest of the server asks of a client, as plain truths.

    Attributes:
        inline_completion: shows ghost text. Some clients announce it as null, so the
            presence of the key counts.
        dynamic_completion: takes ``textDocument/completion`` after ``initialize``.
        insert_text_mode: honours ``insertTextMode`` of completion items.
        configuration: answers ``workspace/configuration``.
        dynamic_configuration: wants to be asked for ``didChangeConfiguration``.
        work_done_progress: shows progress that the server starts.
        apply_edit: takes ``workspace/applyEdit``.
        document_changes: takes versioned edits.
        create_files: takes edits that create files.
        change_annotations: shows annotated edits for confirmation.
        code_action_resolve: asks for a code action's edit when it is chosen.
        disabled_code_actions: shows disabled code actions with their reason.
        show_document: opens a document when asked.
        show_message_request: gives the user buttons to press.
    """

    inline_completion: bool = False
    dynamic_completion: bool = False
    insert_text_mode: bool = False
    configuration: bool = False
    dynamic_configuration: bool = False
    work_done_progress: bool = False
    apply_edit: bool = False
    document_changes: bool = False
    create_files: bool = False
    change_annotations: bool = False
    code_action_resolve: bool = False
    disabled_code_actions: bool = False
    show_document: bool = False
    show_message_request: bool = False

    @classmethod
    def read(cls, params: Any) -> ClientCapabilities:
        """Read the params of ``initialize`` as plain JSON; what is odd counts as absent."""
        announced = _member(params, "capabilities")
        text = _member(announced, "textDocument")
        workspace = _member(announced, "workspace")
        window = _member(announced, "window")
        edit = _member(workspace, "workspaceEdit")
        action = _member(text, "codeAction")
        item = _member(text, "completion", "completionItem")
        return cls(
            inline_completion="inlineCompletion" in text,
            dynamic_completion=_truth(_member(text, "completion"), "dynamicRegistration"),
            insert_text_mode="insertTextModeSupport" in item,
            configuration=_truth(workspace, "configuration"),
            dynamic_configuration=_truth(
                _member(workspace, "didChangeConfiguration"), "dynamicRegistration"
            ),
            work_done_progress=_truth(window, "workDoneProgress"),
            apply_edit=_truth(workspace, "applyEdit"),
            document_changes=_truth(edit, "documentChanges"),
            create_files="create" in _items(edit, "resourceOperations"),
            change_annotations="changeAnnotationSupport" in edit,
            code_action_resolve="edit" in _items(_member(action, "resolveSupport"), "properties"),
            disabled_code_actions=_truth(action, "disabledSupport"),
            show_document=_truth(_member(window, "showDocument"), "support"),
            show_message_request="showMessage" in window,
        )


def _member(value: Any, *path: str) -> dict[str, Any]:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _truth(value: dict[str, Any], name: str) -> bool:
    return value.get(name) is True


def _items(value: dict[str, Any], name: str) -> list[Any]:
    items = value.get(name)
    return items if isinstance(items, list) else []
