"""The short form, ``router:``, written out into the sections of the full form."""

from __future__ import annotations

from ringfence.privacy import Zone

from .settings import BackendKind, BackendSettings, RouterSettings, Settings
from .settings import RoutingSettings as Routing


def written_out(settings: Settings) -> Settings:
    """Return the settings without ``router:``, each of its keys where it belongs.

    What the full form says as well is kept: it is the more exact of the two.
    """
    router = settings.router
    if router is None:
        return settings
    written = settings.model_fields_set
    update: dict[str, object] = {
        "router": None,
        "backends": (*settings.backends, *_backends(router, settings)),
    }
    if "routing" not in written:
        update["routing"] = Routing(
            max_local_context_tokens=router.thresholds.max_local_context_tokens,
            max_tool_chain_length=router.thresholds.max_tool_chain_length,
            local=router.model_routing.local,
            cloud=router.model_routing.cloud,
        )
    if "health" not in written:
        update["health"] = router.health_check
    if "validation" not in written:
        update["validation"] = router.validation
    return settings.model_copy(update=update)


def _backends(router: RouterSettings, settings: Settings) -> list[BackendSettings]:
    taken = {backend.name for backend in settings.backends}
    backends = []
    if router.local_endpoint is not None and "local" not in taken:
        backends.append(
            BackendSettings(
                name="local", kind=BackendKind.AUTO, url=router.local_endpoint, zone=Zone.DEVICE
            )
        )
    if router.cloud_endpoint is not None and "cloud" not in taken:
        backends.append(
            BackendSettings(
                name="cloud",
                kind=BackendKind.AUTO,
                url=router.cloud_endpoint,
                zone=Zone.CLOUD,
                api_key=router.cloud_api_key,
            )
        )
    return backends
