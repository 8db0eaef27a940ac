"""How the engine is run on a given machine, and which model suits it: pure functions.

The figures were measured with llama.cpp on two cores without a GPU.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .machine import Machine
from .store import InstalledModel

#: Context by default. At the 40 to 110 prompt tokens per second that small models read on
#: a few cores, even this takes over a minute when nothing is cached: more would be of
#: little use, and costs memory.
DEFAULT_CONTEXT = 8192
LEAST_CONTEXT = 512

#: llama-server notices that a client has gone only between two batches. Reading a prompt
#: of 2,115 tokens went on for 22 to 30 s after the connection was closed with the default
#: of 2048, for 1.3 to 1.8 s with 256, and for 0.3 to 1.0 s with 128, at the same speed.
BATCH = 128

#: One request at a time. Another active stream would hide a closed connection from
#: llama-server and slow both down; several windows take turns, and the prompt cache
#: keeps the prompts of the others.
SLOTS = 1

#: The default of 8 GiB could take more memory than the model.
PROMPT_CACHE_MIB = 256

#: Beyond this, generation is bound by memory and gains nothing.
MOST_THREADS = 16

#: Weights that one thread goes through in a second: 22 tokens/s with 0.49 GB on one
#: thread, 14 to 18 with 1.1 GB on two, 5 with 4.4 GB on two.
BYTES_PER_THREAD_SECOND = 9_000_000_000

#: Tokens per second below which a completion of a line comes too late to be of use.
USEFUL_SPEED = 12.0

#: Threads beyond which the speed of desktop memory, not of processors, is the limit.
_SCALING_THREADS = 8

#: Memory besides weights and key/value cache: buffers of the computation and Python.
_OVERHEAD = 150_000_000

#: Share of the machine's memory that a model chosen by itself may take: the editor, its
#: language servers and the programs under development need the rest.
_FAIR_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Tuning:
    """How to run the engine; see ``state.Launch`` for the fields."""

    threads: int
    context: int
    batch: int = BATCH
    slots: int = SLOTS
    prompt_cache_mib: int = PROMPT_CACHE_MIB


def tune(
    machine: Machine,
    *,
    weights_bytes: int,
    kv_bytes_per_token: int | None,
    trained_context: int | None,
    threads: int | None = None,
    context: int | None = None,
) -> Tuning:
    """Choose how to run a model.

    Args:
        machine: where.
        weights_bytes: size of the model's file.
        kv_bytes_per_token: size of the key/value cache per token, if known.
        trained_context: the most tokens the model was trained for, if known.
        threads: what the user asks for.
        context: what the user asks for; never more than trained for is used.
    """
    most = trained_context or DEFAULT_CONTEXT
    if context is None:
        context = min(DEFAULT_CONTEXT, most)
        spare = machine.memory_available * _FAIR_SHARE
        while context > 2 * LEAST_CONTEXT and (
            memory_needed(weights_bytes, kv_bytes_per_token, context) > spare
        ):
            context //= 2
    return Tuning(
        threads=threads or default_threads(machine),
        context=max(LEAST_CONTEXT, min(context, most)),
    )


def default_threads(machine: Machine) -> int:
    """Return the threads that leave a core to the editor.

    With another busy process, two threads on two cores fell from 34 tokens/s to 12, as
    each step waits for the slower thread; one thread stayed at 22 and 11. Hardware
    threads of one core share what the computation needs, so cores count.
    """
    cores = min(machine.physical_cores, int(machine.usable_processors))
    return max(1, min(MOST_THREADS, cores - 1))


def memory_needed(weights_bytes: int, kv_bytes_per_token: int | None, context: int) -> int:
    """Return the bytes of memory that running a model takes and cannot give back.

    llama.cpp rearranges weights for the processor into a copy of its own, so about the
    size of the file is needed although the file itself is only mapped.
    """
    return int(weights_bytes * 1.1) + (kv_bytes_per_token or 0) * context + _OVERHEAD


def fits(machine: Machine, weights_bytes: int, limit: int | None = None) -> bool:
    """Whether a model may be chosen by itself: judged by what does not change by the hour.

    Were it judged by the memory that is free now, a second window would choose another
    model than the first, which is using that memory.
    """
    allowed = machine.memory_total * _FAIR_SHARE
    if limit is not None:
        allowed = min(allowed, limit)
    return memory_needed(weights_bytes, None, DEFAULT_CONTEXT) <= allowed


def is_quick(machine: Machine, weights_bytes: int) -> bool:
    """Whether completions of a model are expected to come in useful time."""
    if machine.unified_gpu:
        return True
    threads = min(default_threads(machine), _SCALING_THREADS)
    return BYTES_PER_THREAD_SECOND * threads >= USEFUL_SPEED * weights_bytes


def best_installed(
    models: Iterable[InstalledModel], machine: Machine, limit: int | None = None
) -> InstalledModel | None:
    """Return the largest model that fills in the middle, fits and is quick.

    When none is quick, it is the smallest that fits; when none fits, None.
    """
    fitting = sorted(
        (m for m in models if m.card.fim is not None and fits(machine, m.size_bytes, limit)),
        key=lambda m: m.size_bytes,
    )
    quick = [model for model in fitting if is_quick(machine, model.size_bytes)]
    if quick:
        return quick[-1]
    return fitting[0] if fitting else None
