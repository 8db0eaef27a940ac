"""What every backend serves now: asked in the background, kept, and never waited for twice."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ringfence.backends.errors import BackendError
from ringfence.backends.protocol import Backend
from ringfence.backends.values import Model
from ringfence.privacy import Zone

from .activity import Activity

_log = logging.getLogger(__name__)

#: Seconds between two questions to the same backend.
INTERVAL_SECONDS = 60.0

#: Seconds between two questions that contradictions ask for.
SHORTEST_INTERVAL_SECONDS = 2.0

#: Seconds that a backend may take to list its models.
TIMEOUT_SECONDS = 10.0

#: Seconds after which the locality of models that can no longer be listed is not believed.
LOCALITY_LIFETIME_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Listing:
    """What one backend answered.

    Attributes:
        backend: the configured name.
        zone: the backend's declared zone; its models may be farther away.
        models: the models of the last good answer.
        failure: why the last question failed, in a sentence; empty when it did not.
        asked: whether the backend has been asked at all.
        answered_at: when it last answered, on the catalogue's clock.
        moves: models whose zone changed with the last answer, in sentences.
    """

    backend: str
    zone: Zone
    models: tuple[Model, ...] = ()
    failure: str = ""
    asked: bool = False
    answered_at: float | None = None
    moves: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CatalogueView:
    """Everything that is known at one moment, in the order of the configuration."""

    listings: tuple[Listing, ...] = ()

    @property
    def models(self) -> tuple[Model, ...]:
        """All models, backend by backend."""
        return tuple(model for listing in self.listings for model in listing.models)

    @property
    def contradictions(self) -> tuple[str, ...]:
        """Differences between the user's words and the servers', in sentences."""
        return tuple(sentence for model in self.models for sentence in model.contradictions)

    def within(self, zone: Zone) -> CatalogueView:
        """Return what lies in ``zone`` or nearer; the rest is not even named."""
        return CatalogueView(
            tuple(
                dataclasses.replace(
                    listing,
                    models=tuple(model for model in listing.models if model.zone <= zone),
                    moves=(),
                )
                for listing in self.listings
                if listing.zone <= zone
            )
        )

    def find(self, backend: str, model: str) -> Model | None:
        """Return the model of that name at that backend, as it is known now."""
        for listing in self.listings:
            if listing.backend == backend:
                return next((known for known in listing.models if known.id == model), None)
        return None


class Catalogue:
    """Asks all backends what they serve, and remembers.

    Requests read ``view``, which never waits. ``run`` refreshes it in the background;
    a program that ends soon calls ``refresh`` once instead.

    Args:
        backends: in the order of the configuration.
        activity: refreshing pauses while it says that nobody works.
        interval: seconds between two questions to a backend.
        timeout: seconds that a backend may take to answer.
        clock: monotonic seconds; replaced in tests.
        sleep: waits for seconds; replaced in tests.
    """

    def __init__(
        self,
        backends: Sequence[Backend],
        *,
        activity: Activity | None = None,
        interval: float = INTERVAL_SECONDS,
        timeout: float = TIMEOUT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._backends = {backend.name: backend for backend in backends}
        self._activity = activity if activity is not None else Activity()
        self._interval = interval
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._locks = {name: asyncio.Lock() for name in self._backends}
        self._rounds = dict.fromkeys(self._backends, 0)
        self._expired: set[str] = set()
        self._expiry = asyncio.Event()
        self._asked = {name: asyncio.Event() for name in self._backends}
        self._view = CatalogueView(
            tuple(Listing(backend.name, backend.zone) for backend in self._backends.values())
        )

    @property
    def view(self) -> CatalogueView:
        """What is known now."""
        return self._view

    @property
    def backends(self) -> tuple[Backend, ...]:
        """All backends, in the order of the configuration."""
        return tuple(self._backends.values())

    def backend(self, name: str) -> Backend | None:
        """Return the backend of that name."""
        return self._backends.get(name)

    async def ready(self, within: Zone = Zone.CLOUD) -> None:
        """Wait until every backend of ``within`` or nearer has been asked once.

        Something else must refresh meanwhile: ``run``, or a call of ``refresh``.
        """
        for backend in self._backends.values():
            if backend.zone <= within:
                await self._asked[backend.name].wait()

    async def refresh(self, backend: str | None = None) -> CatalogueView:
        """Ask one backend, or all of them at once, and return what is then known.

        A backend that is being asked already is not asked again: the call waits for
        that answer. A failure is kept in the backend's listing and costs no other one.
        """
        names = list(self._backends) if backend is None else [backend]
        async with asyncio.TaskGroup() as group:
            for name in names:
                if name in self._backends:
                    group.create_task(self._refresh_one(name))
        return self._view

    def expire(self, backend: str) -> None:
        """Have ``run`` ask ``backend`` again soon: something contradicts what is known."""
        self._expired.add(backend)
        self._expiry.set()

    async def run(self) -> None:
        """Refresh for ever, with some jitter; pauses while nobody works."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._refresh_regularly())
            group.create_task(self._refresh_expired())

    async def _refresh_expired(self) -> None:
        while True:
            await self._expiry.wait()
            self._expiry.clear()
            expired, self._expired = sorted(self._expired), set()
            for name in expired:
                await self.refresh(name)
            await self._sleep(SHORTEST_INTERVAL_SECONDS)

    async def _refresh_regularly(self) -> None:
        while True:
            await self.refresh()
            # Jitter keeps several editors from asking one server in step.
            await self._sleep(self._interval * random.uniform(0.9, 1.1))  # noqa: S311
            await self._activity.wait()

    async def _refresh_one(self, name: str) -> None:
        before = self._rounds[name]
        async with self._locks[name]:
            if self._rounds[name] != before:
                return
            backend = self._backends[name]
            old = self._listing(name)
            try:
                async with asyncio.timeout(self._timeout):
                    models = await backend.models()
                listing = _answered(old, models, self._clock())
            except BackendError as error:
                listing = self._failed(old, str(error))
            except TimeoutError:
                seconds = f"{self._timeout:g} s"
                listing = self._failed(old, f"{name!r} did not list its models within {seconds}")
            except Exception as error:
                # A bug in one kind of backend must not cost the user the others.
                _log.exception("listing the models of %r failed", name)
                listing = self._failed(
                    old, f"listing the models of {name!r} failed ({type(error).__name__})"
                )
            for sentence in listing.moves:
                _log.warning("%s", sentence)
            self._rounds[name] += 1
            self._store(listing)
            self._asked[name].set()

    def _listing(self, name: str) -> Listing:
        return next(listing for listing in self._view.listings if listing.backend == name)

    def _store(self, new: Listing) -> None:
        self._view = CatalogueView(
            tuple(
                new if listing.backend == new.backend else listing
                for listing in self._view.listings
            )
        )

    def _failed(self, old: Listing, failure: str) -> Listing:
        now = self._clock()
        models = old.models
        if old.answered_at is not None and now - old.answered_at > LOCALITY_LIFETIME_SECONDS:
            models = tuple(map(_unverified, models))
        return dataclasses.replace(old, models=models, failure=failure, asked=True, moves=())


def _answered(old: Listing, models: Sequence[Model], now: float) -> Listing:
    # A model is never nearer than the zone its backend was declared in.
    placed = tuple(dataclasses.replace(model, zone=max(model.zone, old.zone)) for model in models)
    before = {model.id: model.zone for model in old.models}
    moves = tuple(
        f"{model.id!r} of {old.backend!r} was computed in {before[model.id].label!r} and is now "
        f"in {model.zone.label!r}: {model.locality}"
        for model in placed
        if before.get(model.id, model.zone) != model.zone
    )
    return Listing(old.backend, old.zone, placed, asked=True, answered_at=now, moves=moves)


def _unverified(model: Model) -> Model:
    """What can no longer be verified counts as remote."""
    return dataclasses.replace(
        model, zone=Zone.CLOUD, locality="its server has not answered for minutes"
    )
