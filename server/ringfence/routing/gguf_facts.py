"""Exact sizes from a GGUF file: its metadata and its tensor table, never its weights.

The header is read here rather than by the ``gguf`` package, which needs numpy and takes
0.4 s to import; a test holds this reader to that one.
"""

from __future__ import annotations

import math
import mmap
import re
import struct
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ringfence.engine.errors import NotGguf

from .fit import kv_bytes_per_token
from .gguf_types import FILE_TYPES, TENSOR_TYPES

_VERSIONS = (2, 3)
_STRING, _ARRAY = 8, 9
_SCALARS = {
    0: struct.Struct("<B"),
    1: struct.Struct("<b"),
    2: struct.Struct("<H"),
    3: struct.Struct("<h"),
    4: struct.Struct("<I"),
    5: struct.Struct("<i"),
    6: struct.Struct("<f"),
    7: struct.Struct("<?"),
    10: struct.Struct("<Q"),
    11: struct.Struct("<q"),
    12: struct.Struct("<d"),
}
_U32, _U64 = _SCALARS[4], _SCALARS[10]

#: Arrays of numbers up to this length are kept; longer ones belong to the tokenizer.
_LONGEST_KEPT_ARRAY = 4096
_MOST_DIMENSIONS = 8

_PART = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf$")


@dataclass(frozen=True, slots=True)
class GgufFile:
    """What a model file says of itself.

    Attributes:
        architecture: such as ``qwen2``.
        name: the model's name, if the file has one.
        parameters: elements of all tensors.
        weights_bytes: size of all tensors.
        quantization: the file's declared quantization, else the type of most of its bytes.
        context: tokens of context the model was trained for, if said.
        kv_elements_per_token: keys and values that each token adds to the cache.
    """

    architecture: str
    name: str | None
    parameters: int
    weights_bytes: int
    quantization: str | None
    context: int | None
    kv_elements_per_token: int | None

    def kv_bytes_per_token(self, bytes_per_element: float = 2.0) -> int | None:
        """Return the size of the cache of one token; 2 bytes are f16, 1.0625 are q8_0."""
        if self.kv_elements_per_token is None:
            return None
        return math.ceil(self.kv_elements_per_token * bytes_per_element)


def read_gguf(path: Path) -> GgufFile:
    """Read the header of a model file, and of its other parts when it was cut in several.

    Raises:
        NotGguf: when a file is missing, cannot be read, or is no GGUF file.
    """
    metadata: dict[str, Any] = {}
    parameters = weights = 0
    bytes_by_type: Counter[str] = Counter()
    for part in _parts(path):
        values, tensors = _read_part(part)
        metadata = {**values, **metadata}
        for type_name, elements, size in tensors:
            parameters += elements
            weights += size
            bytes_by_type[type_name] += size
    architecture = str(metadata.get("general.architecture", "unknown"))
    name = metadata.get("general.name")
    context = metadata.get(f"{architecture}.context_length")
    commonest = bytes_by_type.most_common(1)
    return GgufFile(
        architecture=architecture,
        name=name if isinstance(name, str) else None,
        parameters=parameters,
        weights_bytes=weights,
        quantization=FILE_TYPES.get(metadata.get("general.file_type", -1))
        or (commonest[0][0] if commonest else None),
        context=context if isinstance(context, int) else None,
        kv_elements_per_token=_kv_elements(metadata, architecture),
    )


def _parts(path: Path) -> list[Path]:
    match = _PART.match(path.name)
    if match is None:
        return [path]
    stem, count = match["stem"], int(match["count"])
    return [
        path.with_name(f"{stem}-{number:05}-of-{count:05}.gguf") for number in range(1, count + 1)
    ]


def _read_part(path: Path) -> tuple[dict[str, Any], list[tuple[str, int, int]]]:
    """Return the metadata of one file, and type, elements and bytes of each tensor."""
    try:
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            return _Header(data, path.name).read()
    except OSError as error:
        reason = error.strerror or "unknown error"
        raise NotGguf(f"the model file {path.name} cannot be read: {reason}") from error
    except (struct.error, KeyError, IndexError, UnicodeDecodeError, ValueError) as error:
        raise NotGguf(
            f"{path.name} is not a whole GGUF model file; fetch the model again"
        ) from error


class _Header:
    """A cursor in the header of one file."""

    def __init__(self, data: mmap.mmap, name: str) -> None:
        self._data = data
        self._name = name
        self._at = 0

    def read(self) -> tuple[dict[str, Any], list[tuple[str, int, int]]]:
        if self._bytes(4) != b"GGUF":
            raise NotGguf(f"{self._name} is not a GGUF model file; give a file in that format")
        version = self._number(_U32)
        if version not in _VERSIONS:
            raise NotGguf(f"{self._name} is GGUF version {version}; versions 2 and 3 can be used")
        tensors, keys = self._number(_U64), self._number(_U64)
        values: dict[str, Any] = {}
        for _ in range(keys):
            key = self._string()
            values[key] = self._value(self._number(_U32))
        return values, [self._tensor() for _ in range(tensors)]

    def _tensor(self) -> tuple[str, int, int]:
        self._skip_string()
        dimensions = self._number(_U32)
        if dimensions > _MOST_DIMENSIONS:
            raise ValueError("a tensor with that many dimensions is damage")
        elements = math.prod(self._number(_U64) for _ in range(dimensions))
        layout = TENSOR_TYPES[self._number(_U32)]
        self._number(_U64)
        return layout.name, elements, elements // layout.block * layout.block_bytes

    def _value(self, kind: int) -> Any:
        if kind == _STRING:
            return self._string()
        if kind != _ARRAY:
            return self._number(_SCALARS[kind])
        element, count = self._number(_U32), self._number(_U64)
        if element == _STRING:
            for _ in range(count):
                self._skip_string()
            return None
        if element == _ARRAY:
            for _ in range(count):
                self._value(_ARRAY)
            return None
        layout = _SCALARS[element]
        if count > _LONGEST_KEPT_ARRAY:
            self._bytes(layout.size * count)
            return None
        return [self._number(layout) for _ in range(count)]

    def _number(self, layout: struct.Struct) -> Any:
        (value,) = layout.unpack_from(self._data, self._at)
        self._at += layout.size
        return value

    def _string(self) -> str:
        return self._bytes(self._number(_U64)).decode()

    def _skip_string(self) -> None:
        (length,) = _U64.unpack_from(self._data, self._at)
        self._at += 8 + length

    def _bytes(self, count: int) -> bytes:
        end = self._at + count
        if end > len(self._data):
            raise ValueError("the file ends within its header")
        start, self._at = self._at, end
        return self._data[start:end]


def _kv_elements(metadata: dict[str, Any], architecture: str) -> int | None:
    """Return layers times key/value heads times (key length plus value length)."""

    def known(key: str) -> Any:
        return metadata.get(f"{architecture}.{key}")

    layers, heads = known("block_count"), known("attention.head_count")
    if not isinstance(layers, int) or not heads:
        return None
    most_heads = max(heads) if isinstance(heads, list) else heads
    width = (known("embedding_length") or 0) // max(most_heads, 1)
    key = known("attention.key_length") or width
    value = known("attention.value_length") or width
    kv_heads = known("attention.head_count_kv") or heads
    # Hybrid models give each layer its own number of heads; those without attention have 0.
    per_layer = kv_heads if isinstance(kv_heads, list) else [kv_heads] * layers
    return kv_bytes_per_token(1, sum(per_layer), key, value, 1.0) or None
