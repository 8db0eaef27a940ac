"""Reading the header of a model file, also of one that is none."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ringfence.engine.errors import NotGguf
from ringfence.engine.gguf import read_facts


def test_a_model_tells_its_shape(tiny_model: Path) -> None:
    facts = read_facts(tiny_model)

    assert facts.architecture == "qwen2"
    assert facts.trained_context == 4096
    # 2 layers of 4 heads of 16, keys and values, 2 bytes each
    assert facts.kv_bytes_per_token == 2 * 4 * (16 + 16) * 2
    assert facts.file_bytes == tiny_model.stat().st_size


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"PK\x03\x04 a zip", "is not a GGUF model file"),
        (b"GGUF\x09\x00\x00\x00", "GGUF version 9"),
        (b"GGUF\x03\x00\x00\x00", "damaged"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "model.gguf"
    file.write_bytes(content)

    with pytest.raises(NotGguf, match=said):
        read_facts(file)


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(NotGguf, match=r"gone\.gguf cannot be read: No such file"):
        read_facts(tmp_path / "gone.gguf")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 3000), noise=st.binary(max_size=200), version=st.sampled_from([2, 3]))
def test_no_damage_is_more_than_a_damaged_header(
    tmp_path: Path, tiny_model: Path, cut: int, noise: bytes, version: int
) -> None:
    file = tmp_path / "model.gguf"
    head = tiny_model.read_bytes()[: max(8, cut)]
    file.write_bytes(head[:4] + version.to_bytes(4, "little") + head[8:] + noise)

    try:
        facts = read_facts(file)
    except NotGguf:
        return
    assert facts.file_bytes == file.stat().st_size
