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

from ringfence.config.reference import ConfigurationFile
from ringfence.privacy import Zone

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

HEAD = """\
# Configuration

Your own configuration is one YAML file: `$RINGFENCE_CONFIG`, else `config.yaml` in the platform's
configuration folder (`ringfence config path`). Nothing in it is required. `ringfence config check`
names every mistake with its line and the nearest valid key; with a mistake in the file Ringfence
runs on the defaults, which keep code on this device.

```yaml
backends:
  - name: laptop
    kind: ollama
    url: http://127.0.0.1:11434
    zone: device
  - name: team
    kind: vllm
    url: http://gpu.example.internal:8000
    zone: network
    api_key: ${TEAM_KEY}
    models:
      - {id: "qwen2.5-coder:7b", roles: [completion, edit], parameters: 8B, quantization: Q4_K_M}
workspaces:
  - {path: ~/clients/acme, allow: device}
  - {path: ~/work, allow: network, never_send: ["*.pem"]}
```

A key without a value counts as left out. Lists and texts are YAML 1.2: only `true` and `false` are
truth values.

`${NAME}` in a text is replaced by the environment variable. Keys are best written so: they are
never printed, and `ringfence config show` prints the reference. Where the variable is not set, a
warning names it and the key counts as left out; in a list that is an error.

Three environment variables move files: `RINGFENCE_CONFIG` the configuration, `RINGFENCE_MODELS` the
models, `RINGFENCE_STATE` the folder of state, cache and logs. `ringfence config path --json` says
where all of them are.

A workspace's `path` is absolute or begins with `~`. A folder that no entry names stays on this
device. `privacy_enforced: false` is answered with a warning and changes nothing.

## The short form

`router:` is the short form for one local and one cloud server. Each of its keys means one of the
full form, which its table below names; the two may be mixed, as long as they do not say the same
thing twice.

```yaml
router:
  local_endpoint: "http://localhost:11434"
  cloud_endpoint: "https://api.openai.com/v1"
  cloud_api_key: "${OPENAI_API_KEY}"
  model_routing:
    local: {default: "llama3.1:8b", high_precision: "qwen2.5:14b", quantization: "Q4_K_M"}
    cloud: {default: "gpt-4o", fallback: "claude-3-5-sonnet"}
workspaces:
  - {path: ~/oss, allow: cloud}
```

The endpoints become the backends `local` (kind `auto`, zone `device`) and `cloud` (kind `openai`,
zone `cloud`). A fallback such as `claude-3-5-sonnet` is a preference by name: it is used where a
cloud backend has it. A server of OpenAI's has not, so add one of kind `anthropic` under `backends`
for it, or write the name of a model that the server has. With the short form alone nothing goes to
the cloud: no workspace allows it until you say so.

A repository may carry `.ringfence.yaml` with `allow`, `never_send` and `redact_secrets`; it can
only tighten. The editor's setting `ringfence.allow` likewise. See [privacy](privacy.md).

This page is written by `scripts/document_configuration.py`.
"""


def page() -> str:
    """Return the whole page; the short form comes last."""
    sections = [HEAD]
    for name, field in ConfigurationFile.model_fields.items():
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
