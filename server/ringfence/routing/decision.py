"""What routing answers: a decision, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from ringfence.backends.values import Model


@dataclass(frozen=True, slots=True)
class Rejection:
    """A model that was not chosen.

    Attributes:
        model: the model's name; empty for a backend of which no model is known.
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
        part_tokens: the most prompt tokens of one part, when the task's prompt fits no
            model and has to be split, and the answers combined; None when it fits whole.
    """

    chain: tuple[Model, ...]
    reason: str
    rejected: tuple[Rejection, ...] = ()
    warning: str = ""
    part_tokens: int | None = None

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
