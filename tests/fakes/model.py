"""The models that fakes serve."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FakeModel:
    """A model, with the facts that servers tell of it.

    Attributes:
        id: the name that the server gives it.
        context: the context window as served, in tokens.
        trained_context: the context window it was trained for.
        fim_tokens: the fill-in-the-middle tokens in its vocabulary.
        insert: whether Ollama's template for it takes a suffix.
        remote_host: where Ollama passes its requests on to; None for nowhere.
        device: the linked device that LM Studio asks for it; None for this one.
    """

    id: str = "qwen2.5-coder:7b"
    architecture: str = "qwen2"
    parameters: int = 7_615_616_512
    parameter_size: str = "7.6B"
    quantization: str = "Q4_K_M"
    size: int = 4_683_087_332
    context: int = 8192
    trained_context: int = 32_768
    fim_tokens: tuple[str, ...] = (
        "<|fim_prefix|>",
        "<|fim_suffix|>",
        "<|fim_middle|>",
        "<|repo_name|>",
        "<|file_sep|>",
    )
    insert: bool = True
    tools: bool = False
    layers: int = 28
    heads: int = 28
    kv_heads: int = 4
    width: int = 3584
    loaded: bool = True
    remote_host: str | None = None
    remote_model: str | None = None
    device: str | None = None


#: A model that was not trained to fill in the middle.
LLAMA = FakeModel(
    id="llama3.1:8b",
    architecture="llama",
    parameters=8_030_261_312,
    parameter_size="8.0B",
    size=4_920_753_328,
    trained_context=131_072,
    fim_tokens=(),
    insert=False,
    tools=True,
    layers=32,
    heads=32,
    kv_heads=8,
    width=4096,
)
