"""Leases, restarts, state files and the log."""

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.engine.lease import Lease, count_held
from ringfence.engine.log import ROTATE_AT, EngineLog, tail
from ringfence.engine.restart import LONGEST_DELAY, MOST_CRASHES, SOUND_AFTER, RestartPolicy
from ringfence.engine.state import EngineFolder, EngineState, Launch, Status

HOLD_A_LEASE = """
import sys
from pathlib import Path
from ringfence.engine.lease import Lease
lease = Lease(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_lease_counts_until_it_is_released(tmp_path: Path) -> None:
    first, second = Lease(tmp_path), Lease(tmp_path)
    assert count_held(tmp_path) == 2

    first.release()
    first.release()

    assert count_held(tmp_path) == 1
    second.release()
    assert count_held(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


def test_the_lease_of_a_killed_process_vanishes(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_A_LEASE, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert count_held(tmp_path) == 1

        holder.kill()
        holder.wait()

    assert count_held(tmp_path) == 0
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.floats(0, SOUND_AFTER - 0.1), min_size=MOST_CRASHES, max_size=50))
def test_crashes_in_quick_succession_are_given_up(ran: list[float]) -> None:
    policy = RestartPolicy()

    delays = [policy.delay_after(seconds) for seconds in ran]

    waits = [delay for delay in delays[: MOST_CRASHES - 1] if delay is not None]
    assert len(waits) == MOST_CRASHES - 1
    assert waits == sorted(waits)
    assert all(0 < delay <= LONGEST_DELAY for delay in waits)
    assert set(delays[MOST_CRASHES - 1 :]) == {None}


@given(st.integers(1, 200))
def test_a_server_that_runs_soundly_is_always_started_again(times: int) -> None:
    policy = RestartPolicy()

    assert all(policy.delay_after(SOUND_AFTER) is not None for _ in range(times))


def make_launch() -> Launch:
    return Launch("token", "toy:1b", "toy.gguf", 2048, 1, 128, 1, 256, 60.0)


def make_state() -> EngineState:
    return EngineState("token", 1, Status.READY, "toy:1b", 2048, 1, url="u", key="secret")


def test_what_was_written_is_read(tmp_path: Path) -> None:
    folder = EngineFolder(tmp_path / "engine" / "one")
    folder.make()
    folder.write_launch(make_launch())
    folder.write_state(make_state())

    assert folder.read_launch() == make_launch()
    assert folder.read_state() == make_state()
    assert folder.read_state().status is Status.READY  # type: ignore[union-attr]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes; rights are inherited")
def test_the_key_is_readable_by_its_user_alone(tmp_path: Path) -> None:
    folder = EngineFolder(tmp_path / "engine" / "one")
    folder.path.mkdir(parents=True, mode=0o755)
    folder.make()
    folder.write_state(make_state())

    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.state_file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"token": 1, "unknown": 2}', "\x00"])
def test_a_state_file_that_makes_no_sense_is_none(tmp_path: Path, text: str) -> None:
    folder = EngineFolder(tmp_path)
    folder.state_file.write_text(text)

    assert folder.read_state() is None


def test_a_state_with_an_unknown_status_is_none(tmp_path: Path) -> None:
    import json

    folder = EngineFolder(tmp_path)
    folder.state_file.write_text(json.dumps(asdict(make_state()) | {"status": "dancing"}))

    assert folder.read_state() is None


def test_the_log_is_put_aside_when_it_is_long(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    log = EngineLog(path)
    for _ in range(3):
        log.write("x" * (ROTATE_AT // 2))
    log.write("the end\n")
    log.close()

    assert path.stat().st_size < ROTATE_AT
    assert (tmp_path / "engine.old.log").exists()
    assert tail(path, 1)[0].endswith("the end")


def test_a_log_that_is_not_there_has_no_lines(tmp_path: Path) -> None:
    assert tail(tmp_path / "engine.log", 10) == []
