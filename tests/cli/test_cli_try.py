"""``ringfence try``: the main job, with the real engine and a real model."""

import ast
from pathlib import Path

import pytest

from ringfence.cli.sample import write_sample
from ringfence.engine.store import InstalledModel
from tests.cli.conftest import Home


def test_the_sample_is_a_project_with_one_cursor(tmp_path: Path) -> None:
    sample = write_sample(tmp_path / "ledger")

    names = sorted(file.name for file in sample.folder.iterdir())
    assert names == ["entries.py", "main.py", "report.py"]
    assert sample.file.read_text() == sample.text
    line = sample.text.split("\n")[sample.line]
    assert sample.column == len(line)
    whole = sample.text.replace(line, f"{line}entry.account] += entry.amount")
    for text in (whole, *(f.read_text() for f in sample.folder.iterdir() if f != sample.file)):
        ast.parse(text)


def test_a_model_that_cannot_be_had_is_told(home: Home) -> None:
    pytest.importorskip("xllamacpp", reason="the embedded engine is not installed")
    home.config.write_text("engine: {sources: []}\n")

    done = home.run("try", "--json")

    assert done.code == 1
    assert done.json["error"]["code"] == "model-unavailable"


@pytest.mark.engine
@pytest.mark.timeout(300)
def test_the_main_job_works_and_is_explained(
    home: Home, real_model: InstalledModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGFENCE_MODELS", str(real_model.path.parent))
    # The user's own servers and grants play no part.
    home.config.write_text(
        "backends: [{name: far, kind: openai, url: 'http://192.0.2.1', zone: cloud}]\n"
        "workspaces: [{path: /, allow: cloud}]\n"
        "engine: {model: 'qwen2.5-coder:0.5b', enabled: false, idle_seconds: 1}\n"
    )

    as_json, plain = home.run("try", "--json"), home.run("try")

    result = as_json.json
    assert as_json.code == 0
    assert not result["model"]["fetched"]
    assert result["seconds_to_initialize"] > 0
    completion = result["completion"]
    assert completion["text"]
    assert completion["parses"]
    assert (completion["backend"], completion["zone"]) == ("engine", "device")
    assert completion["quantization"] == "Q4_K_M"
    assert completion["total_ms"] >= completion["first_token_ms"]
    assert plain.code == 0
    assert "on this device (engine, qwen2.5-coder:0.5b, Q4_K_M)" in plain.out
    assert f"«{completion['text'].splitlines()[0]}" in plain.out
