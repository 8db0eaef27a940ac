"""The values that go to a backend and come back from it."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ringfence.privacy import Clearance, Fragment, Zone


class Role(enum.StrEnum):
    """What a model is used for; the words of the configuration's ``roles``."""

    COMPLETION = "completion"
    EDIT = "edit"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class FimFormat:
    """How one model family writes a fill-in-the-middle prompt.

    The prompt is ``prefix_token + prefix + suffix_token + suffix + middle_token``;
    with ``suffix_first`` the suffix stands before the prefix.

    Attributes:
        family: the family's name, such as ``qwen2.5-coder``.
        stop: the tokens that end a completion, at most four (OpenAI's limit).
        repository_token: the token before a repository's name, when the family was
            trained on whole repositories.
        file_token: the token between files, likewise.
    """

    family: str
    prefix_token: str
    suffix_token: str
    middle_token: str
    stop: tuple[str, ...]
    suffix_first: bool = False
    repository_token: str | None = None
    file_token: str | None = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model as a backend serves it now.

    Attributes:
        id: the name to send to the server.
        backend: the configured name of the backend.
        zone: where the model is computed, as verified; what cannot be verified is CLOUD.
        locality: why ``zone`` is believed, in a few words.
        roles: what it is used for.
        family: the model family's name in lower case, if known.
        parameters: the number of parameters, if known.
        quantization: the name as in GGUF (``Q4_K_M``), if known.
        context: the context window as served, in tokens, if known.
        fim: its fill-in-the-middle format, when the prompt is written with raw tokens.
        fills_in_the_middle: whether the server can fill in the middle with it at all.
        tools: whether it takes tools; None when unknown.
        json_schema: whether answers can be held to a JSON schema; None when unknown.
        weights_bytes: size of the weights, if known.
        kv_bytes_per_token: size of the key/value cache per token, if known.
        loaded: whether it is in memory now; None when unknown.
        contradictions: differences between the user's words and the server's, in sentences.
    """

    id: str
    backend: str
    zone: Zone
    locality: str
    roles: frozenset[Role]
    family: str | None = None
    parameters: int | None = None
    quantization: str | None = None
    context: int | None = None
    fim: FimFormat | None = None
    fills_in_the_middle: bool = False
    tools: bool | None = None
    json_schema: bool | None = None
    weights_bytes: int | None = None
    kv_bytes_per_token: int | None = None
    loaded: bool | None = None
    contradictions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FillInTheMiddle:
    """A hole to fill: the text before and after the cursor, and related files.

    Attributes:
        related: other files' text, each with its file name in its source, the most
            stable first so that the server's prefix cache survives typing.
    """

    prefix: Fragment
    suffix: Fragment
    related: tuple[Fragment, ...] = ()

    def fragments(self) -> Iterator[Fragment]:
        """Everything this prompt carries."""
        yield from self.related
        yield self.prefix
        yield self.suffix


class ChatRole(enum.StrEnum):
    """Who speaks in a chat prompt."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a chat, made of labelled pieces that are sent joined.

    Attributes:
        tool_calls: the calls an assistant turn made.
        tool_call_id: which call a tool turn answers.
    """

    role: ChatRole
    content: tuple[Fragment, ...]
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None

    @property
    def text(self) -> str:
        """The turn as it is sent."""
        return "".join(fragment.text for fragment in self.content)


@dataclass(frozen=True, slots=True)
class Chat:
    """A conversation to continue."""

    messages: tuple[Message, ...]

    def fragments(self) -> Iterator[Fragment]:
        """Everything this prompt carries."""
        for message in self.messages:
            yield from message.content


Prompt: TypeAlias = FillInTheMiddle | Chat


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that a model may call; ``parameters`` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that a model asks for; ``arguments`` is JSON text as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Generation:
    """What to generate. The model decided on is the model sent.

    Attributes:
        purpose: what it is for, for the audit log ("inline completion").
        max_tokens: the most tokens to generate.
        deadline: seconds after which the whole generation is given up.
        schema: a JSON schema that the answer must satisfy, if any.
        schema_name: the schema's name, which some servers insist on.
    """

    model: Model
    prompt: Prompt
    purpose: str
    max_tokens: int
    deadline: float
    temperature: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"
    tools: tuple[Tool, ...] = ()

    @property
    def clearance(self) -> Clearance:
        """How far this generation may travel: computed from its fragments, never given."""
        return Clearance.of(self.prompt.fragments())


class FinishReason(enum.StrEnum):
    """Why a generation ended."""

    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    REFUSAL = "refusal"


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of generated text."""

    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the server reports them; None where it does not.

    Attributes:
        cached_tokens: how many of the prompt's tokens the server did not read again.
    """

    prompt_tokens: int | None = None
    cached_tokens: int | None = None
    output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a generation that ended properly.

    Attributes:
        served_model: the model that the server says it used, if it says.
    """

    reason: FinishReason
    usage: Usage = field(default_factory=Usage)
    tool_calls: tuple[ToolCall, ...] = ()
    served_model: str | None = None


Event: TypeAlias = TextDelta | Finished
