"""JSON schemas in the dialects that servers take."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What strict mode knows; other keywords make it refuse the whole schema.
_STRICT_KEYWORDS = frozenset(
    {
        *("type", "properties", "required", "additionalProperties", "items", "enum", "const"),
        *("anyOf", "$ref", "$defs", "description", "pattern", "format", "minimum", "maximum"),
        *("exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minItems", "maxItems"),
    }
)
_OF_SCHEMAS = ("properties", "$defs")


def strict(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return ``schema`` as OpenAI's strict mode wants it; None when it cannot be said there.

    Every property is required and no other is allowed; keywords that strict mode does not
    know are left out. The answer is validated against the full schema afterwards.
    """
    return None if _has_map(schema) else _object(schema)


def _has_map(schema: object) -> bool:
    """Whether a part of the schema is an object with names of the model's choice."""
    if isinstance(schema, list):
        return any(map(_has_map, schema))
    if not isinstance(schema, Mapping):
        return False
    free = schema.get("type") == "object" and not schema.get("properties")
    return free or any(map(_has_map, schema.values()))


def _object(schema: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        # Nothing may stand beside a reference.
        return {"$ref": schema["$ref"]}
    result: dict[str, Any] = {}
    for key, value in schema.items():
        name = "anyOf" if key == "oneOf" else key
        if key == "allOf" and isinstance(value, list) and len(value) == 1:
            return _object(value[0])
        if name not in _STRICT_KEYWORDS:
            continue
        if name in _OF_SCHEMAS:
            result[name] = {inner: _schema(part) for inner, part in value.items()}
        elif name == "anyOf":
            result[name] = [_schema(part) for part in value]
        else:
            result[name] = _schema(value) if name == "items" else value
    if schema.get("type") == "object" or "properties" in schema:
        result["type"] = "object"
        result.setdefault("properties", {})
        result["required"] = list(result["properties"])
        result["additionalProperties"] = False
    return result


def _schema(part: Any) -> Any:
    return _object(part) if isinstance(part, Mapping) else part
