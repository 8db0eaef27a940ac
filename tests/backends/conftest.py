"""Every kind of backend, for tests of what all of them do alike."""

import pytest

from .asking import KINDS, Kind


@pytest.fixture(params=KINDS.values(), ids=str)
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each kind of backend in turn."""
    chosen: Kind = request.param
    return chosen
