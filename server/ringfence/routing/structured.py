"""Answers that must satisfy a schema: asked for, validated, asked for again, or refused."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from ringfence.backends.errors import InvalidAnswer
from ringfence.backends.values import (
    Chat,
    ChatRole,
    Event,
    Finished,
    FinishReason,
    Generation,
    Message,
    Model,
    TextDelta,
)
from ringfence.config.settings import ValidationSettings
from ringfence.privacy import TEMPLATE, Clearance, Fragment, Source, SourceKind

from .decision import Decision
from .execute import MakeGeneration

#: Errors of a validation that are told to the model; more would bury the first.
MOST_ERRORS = 5

#: Characters of an invalid answer that are shown to the model again.
LONGEST_ECHO = 4000

_FENCED = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)

T = TypeVar("T", bound=BaseModel)


class Streams(Protocol):
    """What is needed of routing."""

    def stream(
        self, decision: Decision, generation: MakeGeneration
    ) -> AsyncGenerator[Event | Model, None]:
        """Generate along the decision's chain; each model is yielded before it is asked."""
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask.

    Attributes:
        prompt: the conversation, which ends with the question.
        purpose: what it is for, for the audit log.
        max_tokens: the most tokens of an answer.
        deadline: seconds for each try.
        temperature: of the first try; each further one is lower.
        seed: of the first try; each further one has another.
    """

    prompt: Chat
    purpose: str
    max_tokens: int
    deadline: float
    temperature: float = 0.3
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Structured(Generic[T]):
    """A valid answer.

    Attributes:
        value: the answer.
        model: who gave it.
        tries: how often models were asked.
    """

    value: T
    model: Model
    tries: int


@dataclass(frozen=True, slots=True)
class _Reply:
    text: str
    reason: FinishReason
    model: Model


async def ask_structured(
    streams: Streams,
    decision: Decision,
    answer: type[T],
    question: Question,
    settings: ValidationSettings,
) -> Structured[T]:
    """Return an answer that validates as ``answer``.

    An invalid one is asked for again, with the validation's errors, a lower temperature
    and a new seed. When a model has used up its tries, the next of the chain is asked
    afresh.

    Args:
        streams: routing, which generates.
        decision: whom to ask, in order.
        answer: the pydantic model of the answer.
        question: what to ask.
        settings: the number of retries, and how the temperature falls.

    Raises:
        InvalidAnswer: when no model of the chain gave a valid answer.
        BackendError: when none could be asked.
    """
    chain = decision.chain
    tries = 0
    problem = ""
    while chain:
        turn: tuple[Message, ...] = ()
        for retry in range(settings.max_retries_on_failure + 1):
            asked = _Try(answer, question, settings, turn, retry, tries)
            reply = await _read(
                streams.stream(dataclasses.replace(decision, chain=chain), asked.generation)
            )
            tries += 1
            # A fallback may have skipped models that cannot be asked: they stay skipped.
            chain = chain[chain.index(reply.model) :]
            result = _validated(answer, reply, question.max_tokens)
            if isinstance(result, answer):
                return Structured(result, reply.model, tries)
            problem = str(result)
            if reply.reason is FinishReason.REFUSAL:
                break
            turn = _feedback(reply, problem, question.prompt)
        chain = chain[1:]
    last = decision.chain[-1]
    raise InvalidAnswer(
        last.backend,
        f"No model gave a valid {answer.__name__} in {tries} tries; nothing was changed. "
        f"The last problem was of this kind: {_kind(problem)}. Try a larger model.",
    )


@dataclass(frozen=True, slots=True)
class _Try:
    """Makes the request of one try, for whichever model is asked."""

    answer: type[BaseModel]
    question: Question
    settings: ValidationSettings
    turn: tuple[Message, ...]
    retry: int
    tries: int

    def generation(self, model: Model) -> Generation:
        question = self.question
        schema = self.answer.model_json_schema()
        held = self.settings.strict_json and model.json_schema is not False
        messages = (*question.prompt.messages, *self.turn)
        if not held:
            messages = (_schema_in_words(schema), *messages)
        lowered = question.temperature - self.settings.temperature_reduction * self.retry
        return Generation(
            model=model,
            prompt=Chat(messages),
            purpose=question.purpose,
            max_tokens=question.max_tokens,
            deadline=question.deadline,
            temperature=max(0.0, lowered),
            seed=question.seed + self.tries,
            schema=schema if held else None,
            schema_name=self.answer.__name__,
        )


async def _read(stream: AsyncGenerator[Event | Model, None]) -> _Reply:
    text: list[str] = []
    reason = FinishReason.LENGTH
    serving: Model | None = None
    try:
        async with aclosing(stream) as events:
            async for event in events:
                if isinstance(event, Model):
                    serving = event
                elif isinstance(event, TextDelta):
                    text.append(event.text)
                elif isinstance(event, Finished):
                    reason = event.reason
    except InvalidAnswer:
        # A stream that broke off is an answer that was cut short: it may be asked again.
        if not text:
            raise
    assert serving is not None, "a stream announces its model before its events"
    return _Reply("".join(text), reason, serving)


def _validated(answer: type[T], reply: _Reply, max_tokens: int) -> T | str:
    """Return the value, or what is wrong with the reply in words for the model."""
    if reply.reason is FinishReason.REFUSAL:
        return "refused: The model refused to answer."
    if reply.reason is FinishReason.LENGTH:
        return f"too long: The answer was cut off at {max_tokens} tokens. Be briefer."
    try:
        return answer.model_validate_json(json_in(reply.text))
    except ValidationError as error:
        lines = [
            f"{'.'.join(map(str, each['loc'])) or 'the whole answer'}: {each['msg']}"
            for each in error.errors(include_url=False, include_input=False)[:MOST_ERRORS]
        ]
        return "not valid: " + "; ".join(lines)


def json_in(text: str) -> str:
    """Return the JSON in an answer that may have a fence or some words around it."""
    fenced = _FENCED.search(text)
    inner = (fenced[1] if fenced else text).strip()
    if inner.startswith(("{", "[")):
        return inner
    start, end = inner.find("{"), inner.rfind("}")
    return inner[start : end + 1] if 0 <= start < end else inner


def _feedback(reply: _Reply, problem: str, prompt: Chat) -> tuple[Message, ...]:
    """Return the turns that show a model its answer and what is wrong with it."""
    clearance = Clearance.of(prompt.fragments())
    # The answer was made from the prompt, so it may travel no farther than that.
    label = Source(
        SourceKind.ANSWER,
        allow=clearance.zone,
        folder=clearance.folders[0] if clearance.folders else None,
        redact=clearance.redact,
    )
    wrong = Fragment(f"That answer is {problem}\n", label)
    again = Fragment(
        "Answer again with JSON that satisfies the schema, and nothing else.", TEMPLATE
    )
    echo = reply.text[:LONGEST_ECHO] or "(nothing)"
    return (
        Message(ChatRole.ASSISTANT, (Fragment(echo, label),)),
        Message(ChatRole.USER, (wrong, again)),
    )


def _schema_in_words(schema: dict[str, object]) -> Message:
    text = f"Answer with JSON only, valid by this JSON schema:\n{json.dumps(schema)}\n"
    return Message(ChatRole.SYSTEM, (Fragment(text, TEMPLATE),))


def _kind(problem: str) -> str:
    """Return the kind of a problem without any text of an answer."""
    return problem.partition(":")[0] or "unknown"
