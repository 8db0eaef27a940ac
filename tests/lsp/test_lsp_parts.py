"""The small parts of the editor side, each by itself."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.lsp import application_port, client_watch
from ringfence.lsp.capabilities import ClientCapabilities
from ringfence.lsp.client_watch import wait_until_gone
from ringfence.lsp.invocation import invoke
from ringfence.lsp.lazy_application import LazyApplication
from ringfence.lsp.messages import Invalid, Notification, Request, Response, parse_message
from ringfence.privacy import Ring, SourceKind, Zone
from tests.lsp.scripted import ScriptedApplication

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def test_the_ring_satisfies_the_port(tmp_path: Path) -> None:
    ring: application_port.Ring = Ring()
    ring.set_folders([tmp_path.as_uri()])
    ring.set_editor_setting(tmp_path.as_uri(), Zone.DEVICE)
    assert ring.verdict((tmp_path / ".env").as_uri()).excluded
    assert ring.source((tmp_path / "a.py").as_uri(), SourceKind.DOCUMENT).allow is Zone.DEVICE


def test_the_capabilities_of_vs_code_are_read() -> None:
    capabilities = ClientCapabilities.read(
        {
            "capabilities": {
                "workspace": {
                    "applyEdit": True,
                    "configuration": True,
                    "didChangeConfiguration": {"dynamicRegistration": True},
                    "workspaceEdit": {
                        "documentChanges": True,
                        "resourceOperations": ["create", "rename"],
                        "changeAnnotationSupport": {"groupsOnLabel": True},
                    },
                },
                "textDocument": {
                    "inlineCompletion": {"dynamicRegistration": True},
                    "completion": {
                        "dynamicRegistration": True,
                        "completionItem": {"insertTextModeSupport": {"valueSet": [1, 2]}},
                    },
                    "codeAction": {
                        "disabledSupport": True,
                        "resolveSupport": {"properties": ["edit"]},
                    },
                },
                "window": {
                    "workDoneProgress": True,
                    "showDocument": {"support": True},
                    "showMessage": {"messageActionItem": {}},
                },
            }
        }
    )
    assert all(getattr(capabilities, name) for name in ClientCapabilities.__dataclass_fields__)


@given(params=_JSON)
def test_odd_capabilities_count_as_absent(params: Any) -> None:
    assert ClientCapabilities.read(params) == ClientCapabilities()
    assert ClientCapabilities.read({"capabilities": params}) == ClientCapabilities()


@given(body=st.binary(max_size=60))
def test_any_body_is_classified(body: bytes) -> None:
    assert isinstance(parse_message(body), Request | Notification | Response | Invalid)


async def test_a_process_that_ends_is_noticed() -> None:
    process = await asyncio.create_subprocess_exec("sleep", "60")
    watching = asyncio.create_task(wait_until_gone(process.pid, interval=0.02))
    await asyncio.sleep(0.1)
    assert not watching.done()
    process.kill()
    # It stays a zombie until it is waited for, which counts as ended.
    assert await asyncio.wait_for(watching, 20)
    await process.wait()


async def test_a_process_of_another_machine_is_not_waited_for() -> None:
    assert await wait_until_gone(2**22 + 1) is False
    assert await wait_until_gone(-5) is False


async def test_a_process_that_ends_before_the_watch_begins_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The first, quick look finds it; by the time of the second it has ended.
    monkeypatch.setattr(client_watch, "_observe", lambda _: None)
    assert await wait_until_gone(os.getpid()) is True


@pytest.mark.parametrize("process_id", [0, -1, 2**70])
async def test_a_number_that_is_no_process_is_not_watched(process_id: int) -> None:
    assert await wait_until_gone(process_id, interval=0.01) is False


async def test_a_living_process_is_waited_for() -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(wait_until_gone(os.getpid(), interval=0.01), 0.1)


async def test_every_kind_of_handler_can_be_called() -> None:
    async def coroutine(value: int) -> int:
        return value + 1

    def generator(value: int) -> Any:
        first = yield coroutine, (value,), None
        second = yield plain, (first,), {"more": 10}
        return second

    def plain(value: int, more: int = 0) -> int:
        return value + more

    assert await invoke(coroutine, (1,)) == 2
    assert await invoke(plain, (1,), {"more": 2}) == 3
    assert await invoke(generator, (1,)) == 12


async def test_the_application_is_made_once_for_all_who_wait() -> None:
    made: list[ScriptedApplication] = []

    def make(editor: Any) -> ScriptedApplication:
        made.append(ScriptedApplication(editor))
        return made[-1]

    async def prepare(_: Any) -> None:
        return None

    application = LazyApplication(make, None, prepare)  # type: ignore[arg-type]
    impatient = asyncio.create_task(application.get())
    await asyncio.sleep(0)
    impatient.cancel()
    one, two = await asyncio.gather(application.get(), application.get())
    assert one is two
    assert len(made) == 1
    assert application.ready() is one
    await application.aclose()


async def test_an_application_whose_preparation_fails_is_closed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def prepare(_: Any) -> None:
        raise RuntimeError("no")

    application = LazyApplication(ScriptedApplication, None, prepare)  # type: ignore[arg-type]
    for _ in range(2):
        with pytest.raises(RuntimeError):
            await application.get()
    await application.aclose()
    assert capfd.readouterr().err.count("application closed") == 1


async def test_logs_reach_the_editor_from_any_thread_without_tracebacks() -> None:
    from ringfence.lsp.log import EditorLogHandler, follow_session
    from tests.lsp.raw_client import local_server

    async with local_server() as client:
        await client.initialize()
        await client.command("ringfence.status")
        log = logging.getLogger("test-editor-log")
        log.addHandler(EditorLogHandler())
        log.propagate = False
        log.warning("of nobody's session")
        follow_session(client.session)

        def fail() -> None:
            try:
                raise ValueError("secret")
            except ValueError:
                log.exception("failed (reference 1)")

        await asyncio.to_thread(fail)
        log.warning("here")
        await client.command("ringfence.status")
        assert sorted(client.logs) == ["failed (reference 1)", "here"]
        assert b"secret" not in client.received
        await client.shut_down()
