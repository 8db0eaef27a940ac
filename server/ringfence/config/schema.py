"""The JSON Schema of the configuration file, for editors and checks."""

from __future__ import annotations

from typing import Any

from ringfence.privacy import Zone

from .reference import ConfigurationFile


def file_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a configuration file."""
    schema = ConfigurationFile.model_json_schema(mode="validation")
    _name_zones(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "Configuration of Ringfence",
    }


def _name_zones(schema: Any) -> None:
    """Write default zones as the file does: they are numbers inside the program."""
    if isinstance(schema, dict):
        words = [zone.label for zone in Zone]
        if schema.get("enum") == words and isinstance(schema.get("default"), int):
            schema["default"] = Zone(schema["default"]).label
        for value in schema.values():
            _name_zones(value)
    elif isinstance(schema, list):
        for value in schema:
            _name_zones(value)
