"""Why an engine does not start, said in one sentence, and which model is chosen for it."""

import importlib.util
from functools import partial
from pathlib import Path

import psutil
import pytest

from ringfence.engine import starter
from ringfence.engine.errors import (
    EngineFailed,
    EngineNotInstalled,
    ModelNotInstalled,
    NotEnoughMemory,
    NotGguf,
    UnknownModel,
)
from ringfence.engine.machine import Machine
from ringfence.engine.sources.protocol import Progress
from ringfence.engine.state import EngineFolder
from tests.engine.asking import another, only_status
from tests.engine.conftest import MakeEngine
from tests.engine.waiting import gone, until

pytestmark = pytest.mark.engine


async def test_a_server_that_keeps_crashing_is_given_up(make_engine: MakeEngine) -> None:
    engine = make_engine()
    running = await engine.ensure_started()

    async def keep_killing() -> None:
        last = running
        while True:
            server = (await only_status(engine)).server_pid
            if server:
                psutil.Process(server).kill()
                await until(partial(gone, server), "the server is killed")
            last = await another(engine, last)

    with pytest.raises(EngineFailed, match=r"killed.*each time it was restarted"):
        await keep_killing()

    assert (await only_status(engine)).status == "failed"
    await until(lambda: gone(running.pid), "the supervisor ends with it")


async def test_a_file_that_is_no_model_is_refused(make_engine: MakeEngine, tmp_path: Path) -> None:
    file = tmp_path / "notes.gguf"
    file.write_text("these are notes")

    with pytest.raises(NotGguf, match=r"notes\.gguf is not a GGUF model file"):
        await make_engine(model=str(file)).ensure_started()


async def test_a_missing_file_is_refused(make_engine: MakeEngine, tmp_path: Path) -> None:
    with pytest.raises(NotGguf, match="does not exist"):
        await make_engine(model=str(tmp_path / "gone.gguf")).ensure_started()


async def test_a_model_that_is_not_installed_is_told_how_to_get(make_engine: MakeEngine) -> None:
    with pytest.raises(ModelNotInstalled, match=r"models pull qwen2\.5-coder:0\.5b"):
        await make_engine(model="auto").ensure_started()


async def test_a_damaged_model_fails_once_and_says_why(
    make_engine: MakeEngine, tmp_path: Path, tiny_model: Path, state: Path
) -> None:
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(tiny_model.read_bytes()[:200_000])
    engine = make_engine(model=str(damaged))

    with pytest.raises(EngineFailed, match="corrupted or incomplete"):
        await engine.ensure_started()
    [folder] = state.iterdir()
    token = EngineFolder(folder).read_state().token  # type: ignore[union-attr]
    with pytest.raises(EngineFailed, match="corrupted or incomplete"):
        await engine.ensure_started()
    again = EngineFolder(folder).read_state()

    assert again is not None
    assert again.token == token
    assert again.restarts == 0


async def test_a_mended_model_is_tried_at_once(
    make_engine: MakeEngine, tmp_path: Path, tiny_model: Path
) -> None:
    model = tmp_path / "model.gguf"
    model.write_bytes(tiny_model.read_bytes()[:200_000])
    engine = make_engine(model=str(model))
    with pytest.raises(EngineFailed):
        await engine.ensure_started()

    model.write_bytes(tiny_model.read_bytes())

    assert (await engine.ensure_started()).pid


async def test_without_llama_cpp_the_user_is_told_what_to_install(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(EngineNotInstalled, match=r"pip install 'ringfence\[engine\]'"):
        await make_engine().ensure_started()


async def test_a_model_that_does_not_fit_is_not_started(
    make_engine: MakeEngine, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(starter, "examine", lambda: Machine(2, 2.0, 100_000_000, 50_000_000))

    with pytest.raises(NotEnoughMemory, match="choose a smaller model"):
        await make_engine().ensure_started()

    [folder] = state.iterdir()
    assert EngineFolder(folder).read_state() is None


async def test_the_model_set_by_the_user_is_chosen(make_engine: MakeEngine) -> None:
    choice = await make_engine(model="qwen2.5-coder:7b").choose_model()

    assert choice.card.id == "qwen2.5-coder:7b"
    assert choice.installed is None


async def test_without_any_model_the_smallest_is_suggested(make_engine: MakeEngine) -> None:
    choice = await make_engine(model="auto").choose_model()

    assert choice.card.id == "qwen2.5-coder:0.5b"
    assert choice.installed is None


async def test_an_installed_model_is_chosen_by_itself(
    make_engine: MakeEngine, tmp_path: Path, tiny_model: Path
) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "qwen2.5-coder-1.5b.gguf").write_bytes(tiny_model.read_bytes())

    engine = make_engine(model="auto")
    choice = await engine.choose_model()

    assert choice.card.id == "qwen2.5-coder:1.5b"
    assert (await engine.ensure_started()).model == choice.card


async def test_a_model_is_fetched_by_its_name(
    make_engine: MakeEngine, tmp_path: Path, tiny_model: Path
) -> None:
    seen: list[Progress] = []

    model = await make_engine().pull(str(tiny_model), seen.append)

    assert model.path == tiny_model
    assert seen[-1].done_bytes == model.size_bytes


async def test_a_name_that_no_model_has_is_refused(make_engine: MakeEngine) -> None:
    with pytest.raises(UnknownModel):
        await make_engine().pull("quen", lambda progress: None)
