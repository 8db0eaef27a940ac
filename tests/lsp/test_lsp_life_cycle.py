"""The life cycle of a conversation, and the errors that JSON-RPC and LSP ask for."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.lsp.raw_client import PATIENCE, URI, LocalServer, frame, local_server, server_process
from tests.lsp.scripted import SECRET

_POSITION = {"textDocument": {"uri": URI}, "position": {"line": 0, "character": 0}}


async def test_a_request_before_initialize_is_told_so(client: LocalServer) -> None:
    error = await client.error(client.request("textDocument/completion", _POSITION))
    assert error["code"] == -32002
    await client.initialize()
    await client.shut_down()


async def test_a_notification_before_initialize_is_dropped(client: LocalServer) -> None:
    client.open("text")
    await client.initialize()
    assert (await client.command("ringfence.status"))["server"]["documents"] == 0
    await client.shut_down()


async def test_initialize_and_the_first_request_may_come_in_one_piece(client: LocalServer) -> None:
    initialize: dict[str, Any] = {"capabilities": {}, "processId": None, "rootUri": None}
    client.send(
        {"id": 1, "method": "initialize", "params": initialize},
        {"method": "initialized", "params": {}},
        {"id": 2, "method": "workspace/executeCommand", "params": {"command": "ringfence.status"}},
        {"id": 3, "method": "shutdown"},
        {"id": 4, "method": "shutdown"},
        {"method": "exit"},
    )
    await client.result(1)
    assert (await client.error(2))["code"] == -32800
    await client.result(3)
    assert (await client.error(4))["code"] == -32600
    await client.end()
    assert await client.serving == 0


async def test_a_second_initialize_is_refused(ready: LocalServer) -> None:
    request = ready.request("initialize", {"capabilities": {}, "processId": None, "rootUri": None})
    assert (await ready.error(request))["code"] == -32600
    await ready.shut_down()


async def test_a_request_after_shutdown_is_refused(ready: LocalServer) -> None:
    assert await ready.ask("shutdown") is None
    for method in ("shutdown", "textDocument/completion", "initialize"):
        assert (await ready.error(ready.request(method, _POSITION)))["code"] == -32600
    ready.notify("exit")
    await ready.end()


@pytest.mark.parametrize(("shutdown", "code"), [(True, 0), (False, 1)])
async def test_exit_ends_with_the_code_of_the_standard(
    ready: LocalServer, shutdown: bool, code: int
) -> None:
    if shutdown:
        await ready.ask("shutdown")
    ready.notify("exit")
    await ready.end()
    assert await ready.serving == code


async def test_exit_before_initialize_ends_the_server(client: LocalServer) -> None:
    client.notify("exit")
    await client.end()
    assert await client.serving == 1


async def test_an_unknown_method_is_told_so(ready: LocalServer) -> None:
    assert (await ready.error(ready.request("no/such/method", {})))["code"] == -32601
    assert (await ready.error(ready.request("$/unknown", {})))["code"] == -32601
    ready.notify("$/unknown", {})
    ready.notify("no/such/method", [1])
    await ready.shut_down()


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({}, "params"),
        (None, "params"),
        ([], "params"),
        ({**_POSITION, "position": {"line": SECRET, "character": 0}}, "position.line"),
        ({**_POSITION, "context": {"triggerKind": SECRET}}, "context.trigger_kind"),
    ],
)
async def test_invalid_params_are_answered_under_the_requests_id(
    ready: LocalServer, params: Any, field: str
) -> None:
    error = await ready.error(ready.request("textDocument/inlineCompletion", params))
    assert error["code"] == -32602
    assert field in error["message"]
    assert SECRET not in json.dumps(error)
    await ready.shut_down()


async def test_invalid_params_of_a_notification_are_only_logged(ready: LocalServer) -> None:
    ready.notify("textDocument/didOpen", {"textDocument": {"uri": SECRET}})
    ready.notify("textDocument/didChange", [SECRET])
    await ready.shut_down()


async def test_a_jsonrpc_key_inside_params_does_not_confuse(ready: LocalServer) -> None:
    result = await ready.command("ringfence.status", {"jsonrpc": "2.0", "id": 1, "method": "x"})
    assert "server" in result
    await ready.shut_down()


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"",
        b"\xff\xfe",
        b'{"jsonrpc":"2.0","id":1,"method":"shutdown","params":[NaN]}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 5000,
    ],
)
async def test_what_is_not_json_is_a_parse_error(ready: LocalServer, body: bytes) -> None:
    ready.send_bytes(frame(body))
    assert (await ready.error(None))["code"] == -32700
    await ready.shut_down()


@pytest.mark.parametrize(
    ("content", "answered"),
    [
        ([], None),
        ("text", None),
        (7, None),
        (None, None),
        ({}, None),
        ({"jsonrpc": "2.0"}, None),
        ({"jsonrpc": "2.0", "id": 5}, 5),
        ({"jsonrpc": "1.0", "id": 5, "method": "shutdown"}, 5),
        ({"id": "five", "method": "shutdown"}, "five"),
        ({"jsonrpc": "2.0", "id": 5, "method": 5}, 5),
        ({"jsonrpc": "2.0", "id": [5], "method": "shutdown"}, None),
        ({"jsonrpc": "2.0", "id": True, "method": "shutdown"}, None),
        ({"jsonrpc": "2.0", "id": 1.5, "method": "shutdown"}, None),
        ({"jsonrpc": "2.0", "id": None, "method": "shutdown"}, None),
        ({"jsonrpc": "2.0", "id": 5, "method": "shutdown", "params": "text"}, 5),
    ],
)
async def test_what_is_no_request_is_an_invalid_request(
    ready: LocalServer, content: Any, answered: int | str | None
) -> None:
    ready.send_bytes(frame(content))
    assert (await ready.error(answered))["code"] == -32600
    await ready.shut_down()


async def test_answers_to_nothing_are_ignored(ready: LocalServer) -> None:
    ready.send({"id": "unknown", "result": 1})
    ready.send({"id": None, "error": {"code": -32700, "message": "What?"}})
    await ready.shut_down()


async def test_an_id_that_is_in_use_is_refused_and_the_first_goes_on(ready: LocalServer) -> None:
    hanging = ready.start_command("test.hang")
    ready.send({"id": hanging, "method": "shutdown"})
    assert (await ready.error(hanging))["code"] == -32600
    ready.notify("$/cancelRequest", {"id": hanging})
    assert (await ready.error(hanging))["code"] == -32800
    await ready.shut_down()


async def test_ids_of_text_and_number_are_different(ready: LocalServer) -> None:
    hanging = ready.start_command("test.hang")
    ready.notify("$/cancelRequest", {"id": str(hanging)})
    ready.send({"id": str(hanging), "method": "workspace/executeCommand"})
    assert (await ready.error(str(hanging)))["code"] == -32602
    ready.notify("$/cancelRequest", {"id": hanging})
    assert (await ready.error(hanging))["code"] == -32800
    await ready.shut_down()


async def test_a_failing_handler_answers_with_a_reference_and_nothing_else(
    ready: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    error = await ready.error(ready.start_command("test.crash"))
    assert error["code"] == -32603
    assert error.keys() == {"code", "message"}
    reference = error["message"].removeprefix("Internal error (reference ").removesuffix(").")
    assert reference.isalnum()
    assert reference in caplog.text
    assert "Traceback" in caplog.text
    assert SECRET.encode() not in ready.received
    assert b"/home/" not in ready.received
    await ready.shut_down()


async def test_a_refusal_tells_the_user_why(ready: LocalServer) -> None:
    error = await ready.error(ready.start_command("test.refuse"))
    message = "The model is missing; run `ringfence models pull`."
    assert error == {"code": -32803, "message": message}
    await ready.shut_down()


@pytest.mark.parametrize("arguments", [[], [1, 2], ["answer"], ["answer", True], ["answer", -1]])
async def test_wrong_arguments_of_a_command_are_invalid_params(
    ready: LocalServer, arguments: list[Any]
) -> None:
    assert (await ready.error(ready.start_command("ringfence.accepted", *arguments)))[
        "code"
    ] == -32602
    await ready.shut_down()


async def test_an_unknown_command_is_invalid_params(ready: LocalServer) -> None:
    assert (await ready.error(ready.start_command("ringfence.nothing")))["code"] == -32602
    await ready.shut_down()


async def test_a_notification_handler_that_fails_makes_no_pop_up(
    ready: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    ready.notify("textDocument/didShowCompletion", {"item": {}})
    ready.notify("textDocument/didPartiallyAcceptCompletion", [])
    ready.change("a change to what is not open")
    ready.notify(
        "notebookDocument/didChange",
        {"notebookDocument": {"uri": "x:y", "version": 1}, "change": {}},
    )

    @ready.session.server.feature("test/crash")
    def crash(_: Any) -> None:
        raise RuntimeError(SECRET)

    ready.notify("test/crash", {})
    await ready.command("ringfence.status")
    assert "not open" in caplog.text
    assert "test/crash failed (reference" in caplog.text
    assert SECRET.encode() not in ready.received
    await ready.shut_down()


async def test_the_first_error_of_a_kind_is_shown_once(ready: LocalServer) -> None:
    await ready.command("test.show", "engine", "engine", "config", "engine")
    shown = [await ready.call("window/showMessage") for _ in range(2)]
    assert [call["params"]["message"] for call in shown] == ["About engine.", "About config."]
    await ready.shut_down()


async def test_an_application_that_cannot_start_is_shown_and_the_server_lives() -> None:
    def broken(_: Any) -> Any:
        raise RuntimeError(SECRET)

    async with local_server(broken) as client:
        await client.initialize()
        await client.call("window/showMessage")
        assert "error" in await client.command("ringfence.status")
        client.open("text")
        params = {**_POSITION, "context": {"triggerKind": 1}}
        assert await client.ask("textDocument/inlineCompletion", params) == {"items": []}
        assert "completion" in json.dumps(await client.call("window/showMessage")).lower()
        assert SECRET.encode() not in client.received
        await client.shut_down()


async def test_stdin_that_closes_ends_the_server_and_its_application() -> None:
    async with server_process() as client:
        await client.initialize()
        await client.command("ringfence.status")
        client.close_output()
        await client.end()
        assert await client.exit_code() == 1
        assert "application closed" in client.stderr


async def test_a_process_ends_with_zero_after_a_proper_goodbye() -> None:
    async with server_process() as client:
        await client.initialize()
        await client.shut_down()
        assert await client.exit_code() == 0


async def test_what_is_printed_by_accident_stays_out_of_the_conversation() -> None:
    async with server_process() as client:
        await client.initialize()
        assert await client.command("test.print") is None
        await client.shut_down()
        await client.exit_code()
        assert "Content-Length: 99999" in client.stderr


async def test_the_logs_of_a_process_hold_no_text_of_documents() -> None:
    async with server_process() as client:
        await client.initialize()
        client.open(SECRET + "\nnothing")
        params = {**_POSITION, "context": {"triggerKind": 1}}
        assert await client.ask("textDocument/inlineCompletion", params) == {"items": []}
        client.notify("textDocument/didChange", {"textDocument": SECRET, "contentChanges": 1})
        await client.shut_down()
        await client.exit_code()
        assert "No completion (nothing)" in client.stderr
        assert any("No completion (nothing)" in line for line in client.logs)
        assert SECRET not in client.stderr
        assert SECRET.encode() not in client.received


async def test_a_traceback_goes_to_stderr_and_not_to_the_editors_log() -> None:
    async with server_process() as client:
        await client.initialize()
        await client.error(client.start_command("test.crash"))
        await client.shut_down()
        await client.exit_code()
        assert "Traceback" in client.stderr
        assert b"Traceback" not in client.received
        assert SECRET.encode() not in client.received


async def test_the_server_ends_when_the_editors_process_is_gone() -> None:
    editor = await asyncio.create_subprocess_exec("sleep", "60")
    async with server_process() as client:
        await client.initialize(processId=editor.pid)
        async with asyncio.timeout(PATIENCE):
            while "Watching the editor's process." not in client.stderr:
                await asyncio.sleep(0.02)
        editor.kill()
        await editor.wait()
        await client.end()
        assert await client.exit_code() == 1
