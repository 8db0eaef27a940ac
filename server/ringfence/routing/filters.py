"""The filters between a task and the models that could do it.

Each is a pure function of the task, the models and what it judges by. It returns what
it kept and, for each model that it did not, a reason and a remedy in plain sentences.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ringfence.backends.values import Model, Role
from ringfence.privacy import Zone

from .decision import Rejection
from .fit import evictable, judge
from .health import HealthSnapshot
from .task import Task, TaskKind

POLICY = "policy"
CAPABILITY = "capability"
CONTEXT = "context"
FIT = "fit"
HEALTH = "health"

#: The filters' names, in the order in which they are applied.
ORDER = (POLICY, CAPABILITY, CONTEXT, FIT, HEALTH)

#: Tokens that a server adds to a raw fill-in-the-middle prompt, with room to spare.
RAW_MARGIN = 32

#: Tokens that a chat template and the descriptions of tools add, with room to spare.
CHAT_MARGIN = 256

#: The context of a local model that does not tell: servers cut longer prompts in silence.
UNKNOWN_LOCAL_CONTEXT = 4096

#: The context of a cloud model that does not tell: these refuse what is too long.
UNKNOWN_CLOUD_CONTEXT = 128_000

_ROLES = {
    TaskKind.COMPLETION: Role.COMPLETION,
    TaskKind.EDIT: Role.EDIT,
    TaskKind.REFACTOR: Role.EDIT,
    TaskKind.SUMMARY: Role.EDIT,
    TaskKind.ANALYSIS: Role.EDIT,
    TaskKind.AGENT: Role.AGENT,
}


@dataclass(frozen=True, slots=True)
class Filtered:
    """What one filter kept, in the order given, and what it removed."""

    kept: tuple[Model, ...]
    rejections: tuple[Rejection, ...]


def by_policy(task: Task, models: Sequence[Model]) -> Filtered:
    """Keep the models that are computed within the zone the task's text may reach."""

    def why_not(model: Model) -> tuple[str, str] | None:
        if model.zone <= task.allow:
            return None
        why = f"It is computed in {model.zone.label!r} ({model.locality}); this text may reach "
        return (
            f"{why}{task.allow.label!r} at most.",
            f"Set `allow: {model.zone.label}` for the folder in your own configuration.",
        )

    return _split(POLICY, models, why_not)


def by_capability(task: Task, models: Sequence[Model]) -> Filtered:
    """Keep the models that can do this kind of task."""

    def why_not(model: Model) -> tuple[str, str] | None:
        role = _ROLES[task.kind]
        if task.kind is TaskKind.COMPLETION and not model.fills_in_the_middle:
            return (
                "It cannot fill in the middle.",
                "Add a code model that can, such as Qwen2.5-Coder, Codestral or StarCoder2.",
            )
        if role not in model.roles:
            return (
                f"Its roles do not include {role.value!r}.",
                f"Add {role.value!r} to its `roles` in the configuration, if it can do that.",
            )
        if task.tools and model.tools is False:
            return "It takes no tools.", "Add a model with tool support."
        if task.json_schema and model.json_schema is False:
            return (
                "Its server cannot hold answers to a JSON schema.",
                "Add a model whose server can, such as llama-server, Ollama, LM Studio or vLLM.",
            )
        return None

    return _split(CAPABILITY, models, why_not)


def by_context(
    task: Task,
    models: Sequence[Model],
    ceiling: int,
    factors: Mapping[tuple[str, str], float] | None = None,
) -> Filtered:
    """Keep the models whose context holds the prompt, the answer and a margin.

    Args:
        task: its prompt, its answer and its kind count.
        models: the models to judge.
        ceiling: the configured most tokens for models on the device or the network.
        factors: what to multiply the estimate of the prompt with, by backend and model,
            as their servers' own counts have taught.
    """

    def why_not(model: Model) -> tuple[str, str] | None:
        window = usable_context(model, ceiling)
        factor = (factors or {}).get((model.backend, model.id), 1.0)
        prompt_tokens = math.ceil(task.prompt_tokens * factor)
        needed = prompt_tokens + task.output_tokens + margin(task.kind)
        if needed <= window:
            return None
        parts = (
            f"{prompt_tokens} tokens of prompt, {task.output_tokens} of answer and a margin "
            f"of {margin(task.kind)} are {needed}"
        )
        if window < served_context(model):
            return (
                f"{parts}, more than the ceiling of {window} for models near you.",
                f"Raise `routing.max_local_context_tokens` to {needed}.",
            )
        if model.context is None:
            return (
                f"{parts}, and its context is unknown, so {window} is reckoned with.",
                "Say its `context` in the configuration.",
            )
        return (
            f"{parts}, more than its context of {window}.",
            f"Serve it with a context of {needed} tokens or more, or ask with less text.",
        )

    return _split(CONTEXT, models, why_not)


def by_fit(
    task: Task, models: Sequence[Model], room: int | None, present: Iterable[Model]
) -> Filtered:
    """Keep the models that this machine's memory holds.

    Args:
        task: not looked at: what fits does not depend on it.
        models: the models to judge.
        room: bytes that further models may use; None when unknown.
        present: all known models; those in memory would make way for another one.
    """
    with_eviction = None if room is None else room + evictable(present)

    def why_not(model: Model) -> tuple[str, str] | None:
        verdict = judge(model, with_eviction)
        return None if verdict.fits else (verdict.why, verdict.remedy)

    return _split(FIT, models, why_not)


def by_health(task: Task, models: Sequence[Model], health: HealthSnapshot) -> Filtered:
    """Keep the models whose server answers and that have not just failed repeatedly."""

    def why_not(model: Model) -> tuple[str, str] | None:
        return health.why_not(model.backend, model.id)

    return _split(HEALTH, models, why_not)


def served_context(model: Model) -> int:
    """Return the context window of ``model``; a careful value when it does not tell."""
    if model.context is not None:
        return model.context
    return UNKNOWN_CLOUD_CONTEXT if model.zone is Zone.CLOUD else UNKNOWN_LOCAL_CONTEXT


def usable_context(model: Model, ceiling: int) -> int:
    """Return the tokens that prompt, answer and margin may take together."""
    served = served_context(model)
    return served if model.zone is Zone.CLOUD else min(served, ceiling)


def margin(kind: TaskKind) -> int:
    """Return the tokens that are kept free for what the server adds to the prompt."""
    return RAW_MARGIN if kind is TaskKind.COMPLETION else CHAT_MARGIN


def _split(
    name: str, models: Sequence[Model], why_not: Callable[[Model], tuple[str, str] | None]
) -> Filtered:
    kept: list[Model] = []
    rejections: list[Rejection] = []
    for model in models:
        reason = why_not(model)
        if reason is None:
            kept.append(model)
        else:
            rejections.append(Rejection(model.backend, model.id, name, *reason))
    return Filtered(tuple(kept), tuple(rejections))
