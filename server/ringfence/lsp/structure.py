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


def _wrong_fields(error: BaseException, path: tuple[str, ...] = ()) -> list[str]:
    if not isinstance(error, BaseValidationError):
        return [".".join(path)] if path else []
    fields: list[str] = []
    for part in error.exceptions:
        # The converter notes the name of the attribute; elements of lists have none.
        names = [note.name for note in getattr(part, "__notes__", ()) if hasattr(note, "name")]
        fields += _wrong_fields(part, (*path, *map(str, names)))
    return fields
