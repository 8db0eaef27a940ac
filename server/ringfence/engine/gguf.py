"""What the header of a GGUF file tells, read without loading the model.

The header is parsed here rather than by the ``gguf`` package, which needs numpy and would
cost the language server tens of megabytes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from .errors import NotGguf

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i",
    6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d",
}  # fmt: skip

#: A string longer than this, or more keys than this, mean a damaged file.
_LONGEST_STRING = 16 * 1024 * 1024
_MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class GgufFacts:
    """A model file's own words.

    Attributes:
        architecture: such as ``qwen2``.
        name: the model's name, if the file has one.
        trained_context: tokens of context the model was trained for, if said.
        kv_bytes_per_token: size of the key/value cache per token at 16 bits, if it can
            be computed.
        file_bytes: size of the file.
    """

    architecture: str
    name: str | None
    trained_context: int | None
    kv_bytes_per_token: int | None
    file_bytes: int


def read_facts(path: Path) -> GgufFacts:
    """Read the header of a model file.

    Raises:
        NotGguf: when the file is missing, cannot be read, or is no GGUF file.
    """
    try:
        with path.open("rb") as file:
            magic = file.read(4)
            if magic != MAGIC:
                raise NotGguf(
                    f"{path.name} is not a GGUF model file (it begins with {_shown(magic)}); "
                    "give a file in the GGUF format"
                )
            values = _read_values(file, path.name)
            size = path.stat().st_size
    except OSError as error:
        raise NotGguf(
            f"the model file {path.name} cannot be read: {error.strerror or 'unknown error'}"
        ) from error
    architecture = str(values.get("general.architecture", "unknown"))
    name = values.get("general.name")
    context = values.get(f"{architecture}.context_length")
    return GgufFacts(
        architecture=architecture,
        name=str(name) if name is not None else None,
        trained_context=context if isinstance(context, int) else None,
        kv_bytes_per_token=_kv_bytes(values, architecture),
        file_bytes=size,
    )


def _shown(magic: bytes) -> str:
    return repr(magic.decode("latin-1")) if magic else "nothing: it is empty"


def _read_values(file: BinaryIO, name: str) -> dict[str, Any]:
    """Return the scalar values of the header, up to the tokenizer's."""
    try:
        (version,) = struct.unpack("<I", file.read(4))
        if version not in _VERSIONS:
            raise NotGguf(f"{name} is GGUF version {version}; versions 2 and 3 can be used")
        _tensors, keys = struct.unpack("<QQ", file.read(16))
        if keys > _MOST_KEYS:
            raise NotGguf(f"the header of {name} is damaged; fetch the model again")
        values: dict[str, Any] = {}
        for _ in range(keys):
            key = _read_string(file)
            (kind,) = struct.unpack("<I", file.read(4))
            if key.startswith("tokenizer.") and len(values) > 1:
                break
            value = _read_value(file, kind)
            if value is not None:
                values[key] = value
    except (struct.error, KeyError, ValueError, OverflowError) as error:
        raise NotGguf(f"the header of {name} is damaged; fetch the model again") from error
    return values


def _read_string(file: BinaryIO) -> str:
    (length,) = struct.unpack("<Q", file.read(8))
    if length > _LONGEST_STRING:
        raise ValueError("string too long")
    return file.read(length).decode()


def _read_value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _read_string(file)
    if kind == _ARRAY:
        element, count = struct.unpack("<IQ", file.read(12))
        if element in _SCALARS:
            file.seek(struct.calcsize(_SCALARS[element]) * count, 1)
            return None
        if element != _STRING:
            raise ValueError("array of an unknown kind")
        for _ in range(count):
            _read_string(file)
        return None
    layout = _SCALARS[kind]
    (value,) = struct.unpack(layout, file.read(struct.calcsize(layout)))
    return value


def _kv_bytes(values: dict[str, Any], architecture: str) -> int | None:
    def number(key: str) -> int:
        value = values.get(f"{architecture}.{key}")
        return value if isinstance(value, int) else 0

    layers, heads, width = number("block_count"), number("attention.head_count"), 0
    if heads:
        width = number("embedding_length") // heads
    key_length = number("attention.key_length") or width
    value_length = number("attention.value_length") or width
    kv_heads = number("attention.head_count_kv") or heads
    total = layers * kv_heads * (key_length + value_length) * 2
    return total or None
