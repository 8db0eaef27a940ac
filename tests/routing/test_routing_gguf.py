"""Reading GGUF files, held to the reference reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from ringfence.engine.errors import NotGguf
from ringfence.routing.gguf_facts import read_gguf
from ringfence.routing.gguf_types import FILE_TYPES, TENSOR_TYPES
from ringfence.routing.quantization import (
    BITS_PER_WEIGHT,
)

gguf = pytest.importorskip("gguf", reason="the dev dependency `gguf` is not installed")


def write_model(path: Path, per_layer_heads: bool = False) -> None:
    """Write a tiny model file with the reference package."""
    import numpy

    writer = gguf.GGUFWriter(str(path), "qwen2")
    writer.add_name("tiny")
    writer.add_file_type(15)
    writer.add_block_count(2)
    writer.add_context_length(1024)
    writer.add_embedding_length(64)
    writer.add_head_count(8)
    writer.add_head_count_kv([2, 0] if per_layer_heads else 2)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([f"token{number}" for number in range(500)])
    writer.add_token_types([1] * 5000)
    writer.add_tensor("a.weight", numpy.zeros((32, 64), dtype=numpy.float32))
    q8 = numpy.zeros((32, 64 // 32 * 34), dtype=numpy.uint8)
    writer.add_tensor("b.weight", q8, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class TestGguf:
    def test_the_header_is_read_as_the_reference_reads_it(self, tmp_path: Path) -> None:
        path = tmp_path / "tiny.gguf"
        write_model(path)

        read = read_gguf(path)

        reference = gguf.GGUFReader(path)
        assert read.weights_bytes == sum(int(each.n_bytes) for each in reference.tensors)
        assert read.parameters == sum(int(each.n_elements) for each in reference.tensors)
        assert (read.architecture, read.name, read.context) == ("qwen2", "tiny", 1024)
        assert read.quantization == "Q4_K_M"
        assert read.kv_bytes_per_token() == 2 * 2 * (8 + 8) * 2
        assert read.kv_bytes_per_token(1.0625) == 68

    def test_layers_without_attention_add_nothing_to_the_cache(self, tmp_path: Path) -> None:
        path = tmp_path / "hybrid.gguf"
        write_model(path, per_layer_heads=True)

        assert read_gguf(path).kv_elements_per_token == 2 * (8 + 8)

    def test_the_parts_of_a_model_are_added_up(self, tmp_path: Path) -> None:
        first = tmp_path / "big-00001-of-00002.gguf"
        write_model(first)
        write_model(tmp_path / "big-00002-of-00002.gguf")

        assert read_gguf(first).parameters == 2 * 2 * 32 * 64

    def test_every_cut_of_the_header_is_refused_in_a_sentence(self, tmp_path: Path) -> None:
        path = tmp_path / "tiny.gguf"
        write_model(path)
        whole = path.read_bytes()
        header = whole.index(b"b.weight")
        for size in [0, 3, 4, 7, 20, 23, 60, header // 2, header, header + 12]:
            path.write_bytes(whole[:size])
            with pytest.raises(NotGguf, match=r"tiny\.gguf") as caught:
                read_gguf(path)
            assert str(tmp_path) not in str(caught.value)

    def test_other_files_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("These are notes about a model, not a model.")

        with pytest.raises(NotGguf, match="not a GGUF model file"):
            read_gguf(path)
        with pytest.raises(NotGguf, match="cannot be read"):
            read_gguf(tmp_path / "missing.gguf")

    def test_the_numbers_are_the_references(self) -> None:
        reference = {
            kind.value: (kind.name, *sizes) for kind, sizes in gguf.GGML_QUANT_SIZES.items()
        }
        assert {number: tuple(kind) for number, kind in TENSOR_TYPES.items()}.items() <= (
            reference.items()
        )
        names = {each.value: each.name for each in gguf.LlamaFileType}
        for number, name in FILE_TYPES.items():
            assert names[number].removeprefix("MOSTLY_").removeprefix("ALL_") == name

    def test_bits_per_weight_are_near_those_of_the_main_tensor_type(self) -> None:
        for kind, (block, size) in gguf.GGML_QUANT_SIZES.items():
            if kind.name in BITS_PER_WEIGHT:
                assert BITS_PER_WEIGHT[kind.name] == pytest.approx(size * 8 / block, rel=0.35)
