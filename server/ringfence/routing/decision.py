"""What routing answers: a decision, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from ringfence.backends.values import Model


@dataclass(frozen=True, slots=True)
class Rejection:
    """A model that was not chosen.

    Attributes:
        filter: the filter that removed it: policy, capability, context, fit or health.
        why: the reason, in a sentence.
        remedy: what would let it through, in a sentence; empty when nothing would.
    """

    backend: str
    model: str
    filter: str
    why: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The models to use for a task, best first.

    Attributes:
        chain: the chosen model, then its fallbacks in order. All lie within the ring.
        reason: why the first was chosen, in a sentence.
        rejected: what was not chosen, and why.
        warning: what the user should know (no 70B at hand, say); empty for nothing.
    """

    chain: tuple[Model, ...]
    reason: str
    rejected: tuple[Rejection, ...] = ()
    warning: str = ""

    @property
    def model(self) -> Model:
        """The chosen model."""
        return self.chain[0]


@dataclass(frozen=True, slots=True)
class NoRoute:
    """No model can do the task.

    Attributes:
        reason: why, in a sentence.
        remedy: what would make it work, in a sentence.
    """

    reason: str
    remedy: str
    rejected: tuple[Rejection, ...] = ()
