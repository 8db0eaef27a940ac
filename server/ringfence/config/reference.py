"""The short form: ``router:``, for one local and one cloud server.

Each key of it means a key of the full form; ``translate`` says which.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr

from ringfence.privacy import Zone

from .problems import KeyPath
from .settings import (
    BackendKind,
    BackendSettings,
    HealthSettings,
    PreferredModels,
    RoutingSettings,
    Section,
    Settings,
    ValidationSettings,
)

#: Names of the two backends of the short form.
LOCAL = "local"
CLOUD = "cloud"


class RouterThresholds(Section):
    """Limits; `routing` in the full form."""

    max_local_context_tokens: int = Field(default=24_000, gt=0)
    """`routing.max_local_context_tokens`."""
    max_tool_chain_length: int = Field(default=5, gt=0)
    """`routing.max_tool_chain_length`."""
    privacy_enforced: bool = True
    """Always on: `false` gives a warning and changes nothing."""


class RouterLocalModels(Section):
    """Preferred models of the local server; `routing.local` in the full form."""

    default: str | None = None
    """For completions and other short tasks."""
    high_precision: str | None = None
    """For edits, refactors and strict JSON."""
    quantization: str | None = None
    """The quantization to prefer."""


class RouterCloudModels(Section):
    """Preferred models of the cloud server; `routing.cloud` in the full form."""

    default: str | None = None
    """For what goes to the cloud."""
    fallback: str | None = None
    """When the default fails. It is asked of the same server, or of another cloud backend
    that has it."""


class RouterModels(Section):
    """Preferred models by name; `routing.local` and `routing.cloud` in the full form."""

    local: RouterLocalModels = RouterLocalModels()
    """Of the local server."""
    cloud: RouterCloudModels = RouterCloudModels()
    """Of the cloud server."""


class RouterSettings(Section):
    """One local and one cloud server."""

    local_endpoint: str | None = None
    """A backend called `local`: kind `auto`, zone `device`."""
    cloud_endpoint: str | None = None
    """A backend called `cloud`: kind `openai`, zone `cloud`."""
    cloud_api_key: SecretStr | None = None
    """The key of the cloud server, best as an environment reference."""
    thresholds: RouterThresholds | None = None
    """Limits."""
    model_routing: RouterModels | None = None
    """Preferred models."""
    health_check: HealthSettings | None = None
    """`health` in the full form."""
    validation: ValidationSettings | None = None
    """`validation` in the full form."""


class ConfigurationFile(Settings):
    """What a configuration file may hold: the full form, the short form, or parts of both."""

    router: RouterSettings | None = None
    """The short form, for one local and one cloud server."""


#: Sections of the short form, and the sections of the full form that they mean.
OVERLAPS = (
    ("thresholds", "routing"),
    ("model_routing", "routing"),
    ("health_check", "health"),
    ("validation", "validation"),
)


def translate(file: ConfigurationFile) -> Settings:
    """Return the settings that a file means."""
    given: dict[str, Any] = {name: getattr(file, name) for name in Settings.model_fields}
    router = file.router
    if router is not None:
        given["backends"] = (*file.backends, *_backends(router))
        if router.thresholds is not None or router.model_routing is not None:
            given["routing"] = _routing(router)
        given["health"] = router.health_check or file.health
        given["validation"] = router.validation or file.validation
    return Settings(**given)


def translate_path(path: KeyPath, file: ConfigurationFile) -> KeyPath:
    """Return where a key of the file stands in the settings that the file means."""
    first = len(file.backends)
    has_local = file.router is not None and file.router.local_endpoint is not None
    match path:
        case ("router", "local_endpoint"):
            return ("backends", first, "url")
        case ("router", "cloud_endpoint"):
            return ("backends", first + has_local, "url")
        case ("router", "cloud_api_key"):
            return ("backends", first + has_local, "api_key")
        case ("router", "thresholds", *rest) | ("router", "model_routing", *rest):
            return ("routing", *rest)
        case ("router", "health_check", *rest):
            return ("health", *rest)
        case ("router", "validation", *rest):
            return ("validation", *rest)
        case _:
            return path


def _backends(router: RouterSettings) -> list[BackendSettings]:
    backends = []
    if router.local_endpoint is not None:
        backends.append(BackendSettings(name=LOCAL, url=router.local_endpoint, zone=Zone.DEVICE))
    if router.cloud_endpoint is not None:
        backends.append(
            BackendSettings(
                name=CLOUD,
                kind=BackendKind.OPENAI,
                url=router.cloud_endpoint,
                zone=Zone.CLOUD,
                api_key=router.cloud_api_key,
            )
        )
    return backends


def _routing(router: RouterSettings) -> RoutingSettings:
    limits = router.thresholds or RouterThresholds()
    models = router.model_routing or RouterModels()
    return RoutingSettings(
        max_local_context_tokens=limits.max_local_context_tokens,
        max_tool_chain_length=limits.max_tool_chain_length,
        local=PreferredModels(**models.local.model_dump()),
        cloud=PreferredModels(**models.cloud.model_dump()),
    )
