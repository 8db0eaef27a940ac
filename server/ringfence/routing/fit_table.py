"""Which models and quantizations fit this machine, and what to take for each task."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ringfence.backends.values import Model, Role
from ringfence.engine.machine import Machine
from ringfence.privacy import Zone

from .fit import Verdict, estimated_weights, gigabytes, judge, kv_bytes_per_token
from .memory import Room
from .task import TaskKind

#: Parameters times prompt tokens that one processor reads in a second, as measured with
#: models of 0.5B to 7.6B on processors without a GPU.
READ_PER_PROCESSOR = 30e9

#: Prompt tokens per second below which a task's answer comes too late to be of use.
LEAST_READING = {TaskKind.COMPLETION: 35.0, TaskKind.EDIT: 10.0, TaskKind.SUMMARY: 10.0}

_BOTH = ("Q8_0", "Q4_K_M")
_CONTEXTS = {
    TaskKind.COMPLETION: 4096,
    TaskKind.SUMMARY: 16_384,
    TaskKind.EDIT: 16_384,
    TaskKind.REFACTOR: 32_768,
    TaskKind.AGENT: 32_768,
    TaskKind.ANALYSIS: 32_768,
}


@dataclass(frozen=True, slots=True)
class Shape:
    """A published model, as far as its size goes.

    Attributes:
        fills: whether it was trained to fill in the middle.
    """

    name: str
    parameters: int
    layers: int
    kv_heads: int
    head_length: int
    fills: bool

    def model(self, quantization: str, context: int) -> Model:
        """Return the model as it would be served on this device."""
        return Model(
            id=self.name,
            backend="this machine",
            zone=Zone.DEVICE,
            locality="computed here",
            roles=frozenset(Role),
            parameters=self.parameters,
            quantization=quantization,
            context=context,
            fills_in_the_middle=self.fills,
            weights_bytes=estimated_weights(self.parameters, quantization),
            kv_bytes_per_token=kv_bytes_per_token(
                self.layers, self.kv_heads, self.head_length, self.head_length
            ),
        )


#: Models that recommendations are made from, the largest first.
SHAPES = (
    Shape("Llama-3.1-70B-Instruct", 70_600_000_000, 80, 8, 128, fills=False),
    Shape("Qwen2.5-Coder-32B-Instruct", 32_800_000_000, 64, 8, 128, fills=True),
    Shape("Qwen2.5-Coder-14B-Instruct", 14_800_000_000, 48, 8, 128, fills=True),
    Shape("Llama-3.1-8B-Instruct", 8_030_000_000, 32, 8, 128, fills=False),
    Shape("Qwen2.5-Coder-7B-Instruct", 7_620_000_000, 28, 4, 128, fills=True),
    Shape("Qwen2.5-Coder-3B-Instruct", 3_090_000_000, 36, 2, 128, fills=True),
    Shape("Qwen2.5-Coder-1.5B-Instruct", 1_540_000_000, 28, 2, 128, fills=True),
    Shape("Qwen2.5-Coder-0.5B-Instruct", 494_000_000, 24, 2, 64, fills=True),
)


@dataclass(frozen=True, slots=True)
class FitRow:
    """One line of the fit table."""

    model: Model
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to run on this machine for one kind of task.

    Attributes:
        model: the model's name; None when nothing fits.
        quantization: the quantization to take.
        needed: bytes it takes with ``context`` tokens.
        why: the choice with its numbers, in sentences; also why nothing larger.
    """

    kind: TaskKind
    model: str | None
    quantization: str | None
    context: int
    needed: int
    why: str


def fit_table(room: Room, served: Iterable[Model] = (), context: int = 32_768) -> list[FitRow]:
    """Return what each model needs on this machine and whether it fits.

    Args:
        room: the memory that models may use.
        served: models that backends on this device serve now; they come first.
        context: the context window that published models are reckoned with, in tokens.
    """
    here = [model for model in served if model.zone is Zone.DEVICE]
    published = [shape.model(name, context) for shape in SHAPES for name in _BOTH]
    return [FitRow(model, judge(model, room.bytes)) for model in (*here, *published)]


def recommend(room: Room, machine: Machine, has_gpu: bool) -> list[Recommendation]:
    """Return what to take for each kind of task.

    Args:
        room: the memory that models may use.
        machine: its processors bound the size of a quick model without a GPU.
        has_gpu: whether models are computed on a GPU.
    """
    return [_recommend(kind, room, machine, has_gpu) for kind in TaskKind]


def _recommend(kind: TaskKind, room: Room, machine: Machine, has_gpu: bool) -> Recommendation:
    context = _CONTEXTS[kind]
    notes: list[str] = []
    for model in _wanted(kind, context):
        speed = READ_PER_PROCESSOR * machine.usable_processors / (model.parameters or 1)
        smallest = model.id == SHAPES[-1].name
        if not has_gpu and not smallest and speed < LEAST_READING.get(kind, 0.0):
            notes.append(
                f"{model.id} would read about {speed:.0f} tokens a second on "
                f"{machine.usable_processors:g} processors without a GPU, too slow for this."
            )
            continue
        verdict = judge(model, room.bytes)
        if verdict.footprint is not None and verdict.fits:
            total = verdict.footprint.total
            why = (
                f"{model.id} at {model.quantization} takes {gigabytes(total)} with {context} "
                f"tokens of context; {gigabytes(room.bytes)} may be used."
            )
            why = " ".join((why, *notes[:1]))
            return Recommendation(kind, model.id, model.quantization, context, total, why)
        notes.append(f"{model.id} at {model.quantization}: {verdict.why}")
    why = f"No model fits this machine. {room.why} {notes[-1] if notes else ''}".strip()
    return Recommendation(kind, None, None, context, 0, why)


def _wanted(kind: TaskKind, context: int) -> Iterator[Model]:
    """Yield what a task would like, the best first."""
    if kind is TaskKind.COMPLETION:
        small = [shape for shape in SHAPES if shape.fills and shape.parameters < 10e9]
        yield from (shape.model("Q4_K_M", context) for shape in small)
    elif kind is TaskKind.SUMMARY:
        small = [shape for shape in SHAPES if shape.parameters < 10e9]
        yield from (shape.model("Q4_K_M", context) for shape in small)
    else:
        # Of one size, more bits are better; a larger model is better than more bits.
        yield from (shape.model(name, context) for shape in SHAPES for name in _BOTH)
