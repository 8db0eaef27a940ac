"""The engine's processes: started once, shared, watched, and ended, whoever is killed.

The model is tiny and its words are noise; everything else is as users have it.
"""

import asyncio
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from ringfence.engine import starter
from tests.engine.asking import another, ask, complete, only_status
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
    after = await another(engine, before)

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


async def test_an_engine_that_nobody_uses_makes_room_foranother(
    make_engine: MakeEngine,
) -> None:
    idle = make_engine(idle_seconds=600)
    first = await idle.ensure_started()
    await idle.release()

    await make_engine(context=2048).ensure_started()

    await until(lambda: gone(first.pid), "the idle engine makes room")


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


async def test_what_an_engine_left_long_ago_is_deleted(
    make_engine: MakeEngine, state: Path
) -> None:
    old, recent = state / "old", state / "recent"
    for folder in (old, recent):
        folder.mkdir(parents=True)
        (folder / "engine.log").write_text("once upon a time")
    long_ago = time.time() - starter.FORGET_AFTER - 1
    os.utime(old, (long_ago, long_ago))

    await make_engine().ensure_started()

    assert not old.exists()
    assert recent.exists()
