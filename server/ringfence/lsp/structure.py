"""Plain JSON to the types of lsprotocol, one message at a time."""

from __future__ import annotations

from typing import Any

from cattrs import Converter
from cattrs.errors import BaseValidationError
from lsprotocol import types

from .errors import InvalidParams


def structure_params(converter: Converter, method: str, params: Any) -> Any:
    """Return the params of a call in the method's own type.

    Methods that lsprotocol does not know, or that take nothing, get the JSON as it is.

    Raises:
        InvalidParams: naming the fields that are wrong, and never their values.
    """
    params_type: Any = types.METHOD_TO_TYPES.get(method, (None, None, None))[2]
    if params_type is None:
        return params
    try:
        return converter.structure(params, params_type)
    except Exception as error:
        fields = ", ".join(sorted(set(_wrong_fields(error)))) or "params"
        raise InvalidParams(f"Invalid params: {fields}.") from None


def structure_result(converter: Converter, method: str, result: Any) -> Any:
    """Return the result of a call to the client in the method's own type."""
    response_type: Any = types.METHOD_TO_TYPES.get(method, (None, None))[1]
    if response_type is None:
        return result
    content = {"jsonrpc": "2.0", "id": 0, "result": result}
    return getattr(converter.structure(content, response_type), "result", None)


def warm_converter(converter: Converter) -> None:
    """Convert one of each frequent message, because the first of a kind takes long."""
    place = {"line": 0, "character": 0}
    span = {"start": place, "end": place}
    document: dict[str, Any] = {"uri": "", "version": 0, "languageId": "", "text": ""}
    samples: dict[str, dict[str, Any]] = {
        types.TEXT_DOCUMENT_DID_OPEN: {},
        types.TEXT_DOCUMENT_DID_CHANGE: {"contentChanges": [{"text": "", "range": span}]},
        types.TEXT_DOCUMENT_INLINE_COMPLETION: {"position": place, "context": {"triggerKind": 1}},
        types.TEXT_DOCUMENT_COMPLETION: {"position": place},
    }
    for method, params in samples.items():
        structure_params(converter, method, {"textDocument": document, **params})
    start = types.Position(0, 0)
    command = types.Command(title="", command="")
    item = types.InlineCompletionItem("", range=types.Range(start, start), command=command)
    converter.unstructure(types.InlineCompletionList([item]))


def _wrong_fields(error: BaseException, path: tuple[str, ...] = ()) -> list[str]:
    if not isinstance(error, BaseValidationError):
        return [".".join(path)] if path else []
    fields: list[str] = []
    for part in error.exceptions:
        # The converter notes the name of the attribute; elements of lists have none.
        names = [note.name for note in getattr(part, "__notes__", ()) if hasattr(note, "name")]
        fields += _wrong_fields(part, (*path, *map(str, names)))
    return fields
