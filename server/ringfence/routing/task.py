"""What is to be done, as far as choosing a model for it goes."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from ringfence.privacy import Zone


class TaskKind(enum.StrEnum):
    """The kinds of task; the words of ``ringfence route --task``."""

    COMPLETION = "completion"
    EDIT = "edit"
    REFACTOR = "refactor"
    SUMMARY = "summary"
    AGENT = "agent"
    ANALYSIS = "analysis"


@dataclass(frozen=True, slots=True)
class Task:
    """One thing to do with a model.

    Attributes:
        prompt_tokens: size of the prompt in tokens, an upper estimate.
        output_tokens: the most tokens of the answer.
        tools: expected length of the chain of tool calls; 0 for none.
        allow: the farthest zone the prompt's text may reach.
        json_schema: whether the answer must satisfy a schema.
        deadline: seconds.
    """

    kind: TaskKind
    prompt_tokens: int
    output_tokens: int
    allow: Zone
    tools: int = 0
    json_schema: bool = False
    deadline: float = 60.0
