"""A decision in full, for people and for programs."""

from __future__ import annotations

from typing import Any

from ringfence.backends.values import Model

from .decision import Decision, NoRoute, Rejection
from .filters import ORDER
from .quantization import normalised
from .ranking import describe
from .task import Task


def as_json(task: Task, answer: Decision | NoRoute) -> dict[str, Any]:
    """Return the task, what was decided and what was rejected, as plain JSON values."""
    explained: dict[str, Any] = {
        "task": {
            "kind": task.kind.value,
            "prompt_tokens": task.prompt_tokens,
            "output_tokens": task.output_tokens,
            "tools": task.tools,
            "json_schema": task.json_schema,
            "allow": task.allow.label,
        },
        "decided": isinstance(answer, Decision),
        "reason": answer.reason,
        "rejected": [_rejection(rejection) for rejection in answer.rejected],
    }
    if isinstance(answer, Decision):
        explained |= _model(answer.model)
        explained["warning"] = answer.warning
        explained["part_tokens"] = answer.part_tokens
        explained["fallbacks"] = [_model(model) for model in answer.chain[1:]]
    else:
        explained["remedy"] = answer.remedy
    return explained


def as_text(task: Task, answer: Decision | NoRoute) -> str:
    """Return the same for a terminal or an editor's message."""
    lines = [answer.reason]
    if isinstance(answer, Decision):
        if answer.warning:
            lines.append(f"Note: {answer.warning}")
        if len(answer.chain) > 1:
            lines.append("If it fails before it has begun to answer:")
            lines.extend(
                f"  {number}. {describe(model)}, in {model.zone.label!r}"
                for number, model in enumerate(answer.chain[1:], start=1)
            )
    elif answer.remedy:
        lines.append(f"What would help: {answer.remedy}")
    if answer.rejected:
        lines.append("Not used:")
        for name in ORDER:
            lines.extend(_line(each) for each in answer.rejected if each.filter == name)
    return "\n".join(lines)


def _line(rejection: Rejection) -> str:
    named = f"{rejection.model} on {rejection.backend!r}" if rejection.model else rejection.backend
    remedy = f" {rejection.remedy}" if rejection.remedy else ""
    return f"  [{rejection.filter}] {named}: {rejection.why}{remedy}"


def _rejection(rejection: Rejection) -> dict[str, str]:
    return {
        "backend": rejection.backend,
        "model": rejection.model,
        "filter": rejection.filter,
        "why": rejection.why,
        "remedy": rejection.remedy,
    }


def _model(model: Model) -> dict[str, Any]:
    return {
        "backend": model.backend,
        "model": model.id,
        "quantization": normalised(model.quantization),
        "parameters": model.parameters,
        "context": model.context,
        "zone": model.zone.label,
        "locality": model.locality,
    }
