"""What can go wrong with the engine and its models, each said in one sentence."""

from __future__ import annotations


class EngineError(Exception):
    """The engine or a model cannot be had; the message says what to do.

    Attributes:
        code: a stable word for logs and for ``--json``.
    """

    code = "engine"


class EngineNotInstalled(EngineError):
    """The llama.cpp build is not installed."""

    code = "engine-not-installed"

    def __init__(self) -> None:
        super().__init__(
            "the embedded engine is not installed; run: pip install 'ringfence[engine]'"
        )


class EngineFailed(EngineError):
    """The engine gave up starting; the message has the reason."""

    code = "engine-failed"


class EngineNotReady(EngineError):
    """The engine is still loading its model."""

    code = "engine-not-ready"


class NotEnoughMemory(EngineError):
    """The model does not fit this machine."""

    code = "memory"


class NotEnoughSpace(EngineError):
    """The disk has no room for a model."""

    code = "disk-space"


class UnknownModel(EngineError):
    """No model goes by this name."""

    code = "unknown-model"


class ModelNotInstalled(EngineError):
    """The model is known and not on this disk."""

    code = "model-not-installed"


class ModelUnavailable(EngineError):
    """No source could deliver a model; the message names each and why."""

    code = "model-unavailable"


class NotGguf(EngineError):
    """A file is no GGUF model, or one of an unknown version."""

    code = "not-gguf"


class ModelCorrupt(EngineError):
    """A model file is not what it should be."""

    code = "model-corrupt"


class SourceFailed(EngineError):
    """One source could not deliver a model; another may."""

    code = "source-failed"
