"""The engine's processes: started once, shared, watched, and ended, whoever is killed.

The model is tiny and its words are noise; everything else is as users have it.
"""

import asyncio
import importlib.util
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx2
import psutil
import pytest

from ringfence.engine import starter
from ringfence.engine.client import Engine, RunningEngine
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
from ringfence.engine.status import EngineStatus
from ringfence.privacy import MANIFEST, Endpoint, Gate, Manifest, Zone
from tests.engine.conftest import MakeEngine
from tests.engine.waiting import gone, unowned, until

pytestmark = pytest.mark.engine

USE_AN_ENGINE = """
import asyncio, sys
from pathlib import Path
from ringfence.config.settings import EngineSettings
from ringfence.engine.client import Engine
from ringfence.engine.directories import EngineDirectories
from ringfence.privacy import Gate

async def main():
    settings = EngineSettings(model=sys.argv[1], threads=1, context=1024, idle_seconds=0.3)
    directories = EngineDirectories(Path(sys.argv[2]), Path(sys.argv[2]))
    engine = Engine(settings, directories, Gate())
    running = await engine.ensure_started()
    print(running.pid, running.url, flush=True)
    await asyncio.to_thread(sys.stdin.read)

asyncio.run(main())
"""


async def ask(
    running: RunningEngine, path: str, body: object = None, **headers: str
) -> httpx2.Response:
    """Send a request to the engine's server."""
    endpoint = Endpoint("engine", running.url, Zone.DEVICE)
    extensions = {MANIFEST: Manifest(None, purpose="test", backend="engine")}
    async with Gate(Zone.DEVICE).client(endpoint) as client:
        if body is None:
            return await client.get(path, headers=headers, extensions=extensions)
        return await client.post(path, json=body, headers=headers, extensions=extensions)


async def complete(running: RunningEngine) -> httpx2.Response:
    body = {
        "prompt": "<|fim_prefix|>a<|fim_suffix|>b<|fim_middle|>",
        "max_tokens": 4,
        "ignore_eos": True,
    }
    return await ask(running, "/v1/completions", body, Authorization=f"Bearer {running.api_key}")


async def only_status(engine: Engine) -> EngineStatus:
    [status] = await engine.status()
    return status


async def test_an_engine_starts_and_completes(make_engine: MakeEngine) -> None:
    engine = make_engine()

    running = await engine.ensure_started()

    assert running.url.startswith("http://127.0.0.1:")
    assert running.model.id == "tiny-qwen2.5-coder"
    assert running.context == 1024
    answer = await complete(running)
    assert answer.status_code == 200
    assert answer.json()["usage"]["completion_tokens"] == 4
    status = await only_status(engine)
    assert (status.status, status.users, status.restarts) == ("ready", 1, 0)
    assert status.memory_bytes > 10_000_000
    assert status.log.is_file()


async def test_only_the_key_of_this_start_is_let_in(make_engine: MakeEngine) -> None:
    running = await make_engine().ensure_started()

    bare = await ask(running, "/v1/completions", {"prompt": "a"})
    wrong = await ask(running, "/v1/completions", {"prompt": "a"}, Authorization="Bearer x")

    assert (bare.status_code, wrong.status_code) == (401, 401)
    assert running.api_key not in repr(running)


async def test_no_web_page_can_read_an_answer(make_engine: MakeEngine) -> None:
    running = await make_engine().ensure_started()

    answer = await ask(
        running,
        "/v1/models",
        Origin="https://page.example",
        Authorization=f"Bearer {running.api_key}",
    )
    page = await ask(running, "/")

    assert answer.status_code == 200
    assert answer.headers.get("Access-Control-Allow-Origin", "") == ""
    assert page.status_code != 200


async def test_neither_key_nor_folder_is_shown_around(
    make_engine: MakeEngine, tiny_model: Path
) -> None:
    engine = make_engine()
    running = await engine.ensure_started()
    status = await only_status(engine)

    for pid in (status.pid, status.server_pid):
        process = psutil.Process(pid)
        shown = " ".join(process.cmdline()) + str(process.environ())
        assert running.api_key not in shown
    models = await ask(running, "/v1/models")
    assert str(tiny_model.parent) not in models.text


async def test_windows_share_one_engine(
    make_engine: MakeEngine, tiny_model: Path, state: Path
) -> None:
    engine = make_engine()
    first = await engine.ensure_started()
    second = await make_engine().ensure_started()
    command = [sys.executable, "-c", USE_AN_ENGINE, str(tiny_model), str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as window:
        assert window.stdout is not None
        third = await asyncio.to_thread(window.stdout.readline)
        users = (await only_status(engine)).users
        window.kill()

    assert first == second
    assert third.decode().split() == [str(first.pid), first.url]
    assert users == 3


async def test_windows_that_start_at_once_share_one_engine(make_engine: MakeEngine) -> None:
    engines = [make_engine() for _ in range(4)]

    running = await asyncio.gather(*(engine.ensure_started() for engine in engines))

    assert len(set(running)) == 1


async def test_a_killed_server_comes_back_with_another_key(make_engine: MakeEngine) -> None:
    engine = make_engine()
    before = await engine.ensure_started()
    server = (await only_status(engine)).server_pid

    psutil.Process(server).kill()
    await until(lambda: gone(server), "the server is killed")
    after = await _another(engine, before)

    assert (await complete(after)).status_code == 200
    assert after.pid == before.pid
    assert after.api_key != before.api_key
    status = await only_status(engine)
    assert status.restarts == 1
    assert status.server_pid != server


async def test_a_killed_supervisor_takes_the_server_along(
    make_engine: MakeEngine, state: Path
) -> None:
    engine = make_engine()
    before = await engine.ensure_started()
    server = (await only_status(engine)).server_pid

    psutil.Process(before.pid).kill()
    await until(lambda: gone(server), "the server follows its supervisor")
    await until(partial(unowned, state), "the supervisor is gone")
    after = await engine.ensure_started()

    assert after.pid != before.pid
    assert (await complete(after)).status_code == 200


async def test_the_engine_ends_after_the_last_window(make_engine: MakeEngine, state: Path) -> None:
    engine, other = make_engine(), make_engine()
    running = await engine.ensure_started()
    await other.ensure_started()
    server = (await only_status(engine)).server_pid

    await engine.release()
    assert (await other.ensure_started()).pid == running.pid
    await other.release()

    await until(lambda: gone(server), "the server ends when it is idle")
    await until(partial(unowned, state), "the supervisor ends with it")
    assert await engine.status() == ()


async def test_the_engine_ends_after_a_killed_editor(
    make_engine: MakeEngine, tiny_model: Path, state: Path
) -> None:
    command = [sys.executable, "-c", USE_AN_ENGINE, str(tiny_model), str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as window:
        assert window.stdout is not None
        pid = int((await asyncio.to_thread(window.stdout.readline)).split()[0])
        server = (await only_status(make_engine())).server_pid
        window.kill()

    await until(lambda: gone(pid) and gone(server), "the engine ends without its editor")


async def test_an_engine_can_be_started_again_after_its_end(
    make_engine: MakeEngine, state: Path
) -> None:
    engine = make_engine()
    first = await engine.ensure_started()
    await engine.release()
    await until(partial(unowned, state), "the engine ends when it is idle")

    second = await engine.ensure_started()

    assert second.pid != first.pid


async def test_other_settings_get_an_engine_of_their_own(make_engine: MakeEngine) -> None:
    first = await make_engine().ensure_started()
    second = await make_engine(context=2048).ensure_started()

    assert first.pid != second.pid
    assert (await complete(first)).status_code == 200
    assert second.context == 2048


async def test_an_engine_that_nobody_uses_makes_room_for_another(
    make_engine: MakeEngine,
) -> None:
    idle = make_engine(idle_seconds=600)
    first = await idle.ensure_started()
    await idle.release()

    await make_engine(context=2048).ensure_started()

    await until(lambda: gone(first.pid), "the idle engine makes room")


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
            last = await _another(engine, last)

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


async def test_a_cancelled_caller_does_not_stop_the_start_for_others(
    make_engine: MakeEngine,
) -> None:
    engine = make_engine()
    impatient = asyncio.create_task(engine.ensure_started())
    patient = asyncio.create_task(engine.ensure_started())
    await asyncio.sleep(0)

    impatient.cancel()

    assert (await patient).pid
    assert impatient.cancelled()


async def test_a_release_in_the_middle_of_a_start_leaves_no_lease(
    make_engine: MakeEngine, state: Path
) -> None:
    engine = make_engine()
    starting = asyncio.create_task(engine.ensure_started())
    await until(lambda: state.exists(), "the start has begun")

    await engine.release()
    with pytest.raises(asyncio.CancelledError):
        await starting

    await until(partial(unowned, state), "the engine ends")


async def test_code_in_the_working_folder_is_never_run(
    make_engine: MakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = tmp_path / "workspace"
    for package in ("ringfence", "xllamacpp", "filelock", "json"):
        (workspace / package).mkdir(parents=True)
        (workspace / package / "__init__.py").write_text(
            "import pathlib; pathlib.Path(__file__).with_name('was-run').touch()"
        )
    monkeypatch.chdir(workspace)

    await make_engine().ensure_started()

    assert not list(workspace.rglob("was-run"))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to catch")
async def test_a_supervisor_that_is_told_to_end_ends_in_order(
    make_engine: MakeEngine, state: Path
) -> None:
    engine = make_engine()
    running = await engine.ensure_started()
    server = (await only_status(engine)).server_pid

    psutil.Process(running.pid).send_signal(signal.SIGTERM)

    await until(lambda: gone(server), "the server ends")
    await until(partial(unowned, state), "the supervisor ends")
    assert (await engine.ensure_started()).pid != running.pid


async def _another(engine: Engine, before: RunningEngine) -> RunningEngine:
    """Return the engine once it is not as it was ``before``; the supervisor needs a moment."""
    while True:
        running = await engine.ensure_started()
        if running.url != before.url:
            return running
        await asyncio.sleep(0.02)


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
