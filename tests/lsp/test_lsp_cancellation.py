"""Cancelling reaches the work, whatever kind of request it is."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.lsp.raw_client import PATIENCE, URI, LocalServer

_INLINE = {
    "textDocument": {"uri": URI},
    "position": {"line": 0, "character": 0},
    "context": {"triggerKind": 2},
}


async def _wait_for_event(client: LocalServer, event: list[Any]) -> None:
    async with asyncio.timeout(PATIENCE):
        while event not in await client.command("test.events"):
            await asyncio.sleep(0.005)


async def _names(client: LocalServer) -> list[str]:
    return [event[0] for event in await client.command("test.events")]


async def test_a_cancelled_completion_stops_the_generation(ready: LocalServer) -> None:
    ready.open("hang")
    request = ready.request("textDocument/inlineCompletion", _INLINE)
    await _wait_for_event(ready, ["complete", 1, "hang", [0, 0], "automatic"])
    ready.notify("$/cancelRequest", {"id": request})
    assert (await ready.error(request))["code"] == -32800
    await _wait_for_event(ready, ["cancelled completion", 1])
    await ready.shut_down()


async def test_a_cancelled_command_stops_its_work(ready: LocalServer) -> None:
    request = ready.start_command("test.hang")
    await _wait_for_event(ready, ["hanging"])
    ready.notify("$/cancelRequest", {"id": request})
    assert (await ready.error(request))["code"] == -32800
    await _wait_for_event(ready, ["cancelled command"])
    await ready.shut_down()


async def test_work_that_swallows_the_cancellation_is_still_answered_as_cancelled(
    ready: LocalServer,
) -> None:
    request = ready.start_command("test.stubborn")
    ready.notify("$/cancelRequest", {"id": request})
    assert (await ready.error(request))["code"] == -32800
    await ready.shut_down()


async def test_a_request_and_its_cancellation_in_one_piece(ready: LocalServer) -> None:
    message = {"method": "workspace/executeCommand", "params": {"command": "test.hang"}}
    ready.send({"id": "x", **message}, {"method": "$/cancelRequest", "params": {"id": "x"}})
    assert (await ready.error("x"))["code"] == -32800
    await ready.shut_down()


@pytest.mark.parametrize("params", [None, [], {}, {"id": None}, {"id": [1]}, {"id": "unknown"}])
async def test_cancelling_nothing_is_ignored(ready: LocalServer, params: Any) -> None:
    ready.notify("$/cancelRequest", params)
    await ready.shut_down()


async def test_cancelling_while_the_user_is_asked_withdraws_the_question(
    ready: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    request = ready.start_command("test.ask")
    question = await ready.call("window/showMessageRequest")
    ready.notify("$/cancelRequest", {"id": request})
    assert (await ready.error(request))["code"] == -32800
    withdrawn = await ready.call("$/cancelRequest")
    assert withdrawn["params"] == {"id": question["id"]}
    ready.respond(question, {"title": "Yes"})
    ready.send({"id": question["id"], "error": {"code": -32800, "message": "cancelled"}})
    await ready.command("ringfence.status")
    assert "Traceback" not in caplog.text
    assert "InvalidState" not in caplog.text
    await ready.shut_down()


async def test_an_answer_of_the_user_arrives(ready: LocalServer) -> None:
    request = ready.start_command("test.ask")
    ready.respond(await ready.call("window/showMessageRequest"), {"title": "Yes"})
    assert await ready.result(request) == "Yes"
    await ready.shut_down()


async def test_an_answer_without_result_counts_as_null(ready: LocalServer) -> None:
    request = ready.start_command("test.ask")
    question = await ready.call("window/showMessageRequest")
    ready.send({"id": question["id"]})
    assert await ready.result(request) is None
    await ready.shut_down()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"error": {"code": -32601, "message": "Unknown here."}}, -32601),
        ({"error": "no object"}, -32803),
        ({"result": {"title": {"no": "string"}, "x": 1}}, None),
        ({"result": 7}, -32803),
    ],
)
async def test_a_bad_answer_of_the_client_fails_the_command_alone(
    ready: LocalServer, answer: dict[str, Any], code: int | None
) -> None:
    request = ready.start_command("test.ask")
    question = await ready.call("window/showMessageRequest")
    ready.send({"id": question["id"], **answer})
    if code is None:
        await ready.result(request)
    else:
        assert (await ready.error(request))["code"] == code
    await ready.shut_down()


async def test_a_newer_completion_ends_the_older_one_with_an_empty_answer(
    ready: LocalServer,
) -> None:
    ready.open("hang")
    older = ready.request("textDocument/inlineCompletion", _INLINE)
    await _wait_for_event(ready, ["complete", 1, "hang", [0, 0], "automatic"])
    ready.change("ok", version=2)
    newer = ready.request("textDocument/inlineCompletion", _INLINE)
    assert await ready.result(older) == {"items": []}
    assert len((await ready.result(newer))["items"]) == 1
    assert ["cancelled completion", 1] in await ready.command("test.events")
    await ready.shut_down()


async def test_completions_of_two_documents_do_not_disturb_each_other(ready: LocalServer) -> None:
    ready.open("hang")
    ready.open("ok", uri="file:///project/other.py")
    hanging = ready.request("textDocument/inlineCompletion", _INLINE)
    other = {**_INLINE, "textDocument": {"uri": "file:///project/other.py"}}
    assert len((await ready.ask("textDocument/inlineCompletion", other))["items"]) == 1
    assert "cancelled completion" not in await _names(ready)
    ready.notify("$/cancelRequest", {"id": hanging})
    assert (await ready.error(hanging))["code"] == -32800
    await ready.shut_down()


async def test_closing_a_document_ends_its_completion(ready: LocalServer) -> None:
    ready.open("hang")
    request = ready.request("textDocument/inlineCompletion", _INLINE)
    await _wait_for_event(ready, ["complete", 1, "hang", [0, 0], "automatic"])
    ready.notify("textDocument/didClose", {"textDocument": {"uri": URI}})
    assert await ready.result(request) == {"items": []}
    await ready.shut_down()


async def test_shutdown_ends_what_still_runs(ready: LocalServer) -> None:
    request = ready.start_command("test.hang")
    assert await ready.ask("shutdown") is None
    assert (await ready.error(request))["code"] == -32800
    ready.notify("exit")
    await ready.end()


async def test_a_client_that_leaves_cancels_its_work(ready: LocalServer) -> None:
    request = ready.start_command("test.hang")
    await _wait_for_event(ready, ["hanging"])
    application = await ready.session.application()
    ready.close_output()
    assert (await ready.error(request))["code"] == -32800
    await ready.end()
    assert ["cancelled command"] in application.events  # type: ignore[attr-defined]


async def test_busy_worker_threads_do_not_delay_other_requests(ready: LocalServer) -> None:
    busy = ready.start_command("test.blockThreads")
    order = []
    status = ready.start_command("ringfence.status")

    async def note(request: int) -> None:
        await ready.result(request)
        order.append(request)

    await asyncio.gather(note(busy), note(status))
    assert order == [status, busy]
    await ready.shut_down()


async def test_progress_is_shown_and_its_token_is_freed(ready: LocalServer) -> None:
    request = ready.start_command("test.progress")
    created = await ready.call("window/workDoneProgress/create")
    token = created["params"]["token"]
    assert isinstance(token, str)
    ready.respond(created, None)
    reports = [await ready.call("$/progress") for _ in range(3)]
    assert [report["params"]["value"]["kind"] for report in reports] == ["begin", "report", "end"]
    assert {report["params"]["token"] for report in reports} == {token}
    assert await ready.result(request) == 0
    ready.notify("window/workDoneProgress/cancel", {"token": token})
    await ready.shut_down()


async def test_cancelling_progress_cancels_the_work_and_frees_the_token(
    ready: LocalServer,
) -> None:
    request = ready.start_command("test.progress", "hang")
    created = await ready.call("window/workDoneProgress/create")
    ready.respond(created, None)
    for _ in range(2):
        await ready.call("$/progress")
    ready.notify("window/workDoneProgress/cancel", {"token": created["params"]["token"]})
    assert (await ready.call("$/progress"))["params"]["value"]["kind"] == "end"
    assert (await ready.error(request))["code"] == -32800
    assert ready.session.protocol.held_progress == {}
    await ready.shut_down()


async def test_a_client_that_refuses_progress_gets_the_result_all_the_same(
    ready: LocalServer,
) -> None:
    request = ready.start_command("test.progress")
    created = await ready.call("window/workDoneProgress/create")
    ready.send({"id": created["id"], "error": {"code": -32601, "message": "No."}})
    assert await ready.result(request) == 0
    await ready.shut_down()
