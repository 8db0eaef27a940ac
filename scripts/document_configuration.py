"""Write docs/configuration.md from the settings themselves.

Usage: python scripts/document_configuration.py [--check]

``--check`` writes nothing and fails when the page is not what it would write.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from ringfence.config.settings import Settings
from ringfence.privacy import Zone

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

HEAD = """\
# Configuration

Your own configuration is one YAML file: `$RINGFENCE_CONFIG`, else `config.yaml` in the platform's
configuration folder (`ringfence config path`). Nothing in it is required. `ringfence config check`
names every mistake with its line and the nearest valid key; with a mistake in the file Ringfence
runs on the defaults, which keep code on this device.

`${NAME}` is replaced by an environment variable; keys are best written so, and are never printed.
`RINGFENCE_STATE` moves the state folder, `RINGFENCE_MODELS` the models. `ringfence config schema`
prints the JSON Schema.

A repository may carry `.ringfence.yaml` with `allow`, `never_send` and `redact_secrets`; it can
only tighten. The editor's setting `ringfence.allow` likewise. See [privacy](privacy.md).

This page is written by `scripts/document_configuration.py`.
"""


def page() -> str:
    """Return the whole page."""
    sections = [HEAD]
    for name, field in Settings.model_fields.items():
        model = _model_in(field.annotation)
        if model is None:
            continue
        title = f"{name}[]" if "tuple" in str(field.annotation) else name
        sections.append(f"## `{title}`\n\n{(model.__doc__ or '').strip()}\n\n{_table(model, '')}")
    return "\n".join(sections)


def _table(model: type[BaseModel], prefix: str) -> str:
    rows = ["| key | default | what it is |", "|---|---|---|"]
    rows += _rows(model, prefix)
    return "\n".join(rows) + "\n"


def _rows(model: type[BaseModel], prefix: str) -> list[str]:
    rows = []
    for name, field in model.model_fields.items():
        inner = _model_in(field.annotation)
        if inner is not None:
            listed = "[]" if "tuple" in str(field.annotation) else ""
            rows += _rows(inner, f"{prefix}{name}{listed}.")
            continue
        words = (field.description or "").replace("|", "\\|").replace("\n", " ")
        rows.append(f"| `{prefix}{name}` | {_default(field.default)} | {words} |")
    return rows


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None or value == ():
        return ""
    if isinstance(value, Zone):
        return f"`{value.label}`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple):
        return ", ".join(f"`{item}`" for item in value)
    return f"`{value}`"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in getattr(annotation, "__args__", ()))
    return next((model for model in found if model is not None), None)


def main() -> int:
    """Write the page, or check it."""
    if "--check" in sys.argv[1:]:
        current = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        if current != page():
            print("docs/configuration.md is out of date; run this script without --check")
            return 1
        return 0
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
