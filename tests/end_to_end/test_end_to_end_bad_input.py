"""What is wrong is said once, in a sentence, and the server keeps serving what it can."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.server import real_server
from tests.lsp.raw_client import URI

COMPLETION = {
    "textDocument": {"uri": URI},
    "position": {"line": 0, "character": 4},
    "context": {"triggerKind": 1},
}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("completoin: {}\n", "completion"),
        ("backends: [\n", "line"),
        ("engine: {enabled: 12}\n", "engine.enabled"),
    ],
    ids=["a typo", "no YAML", "a wrong type"],
)
async def test_a_broken_configuration_is_told_and_the_defaults_serve(
    tmp_path: Path, config: str, words: str
) -> None:
    async with real_server(tmp_path, config) as client:
        await client.initialize()

        message = (await client.call("window/showMessage"))["params"]["message"]

        assert words in message
        status = await client.command("ringfence.status")
        assert status["config"]["problems"]
        await client.shut_down()


async def test_a_dead_backend_is_named_with_the_remedy(tmp_path: Path) -> None:
    config = (
        "backends:\n"
        "  - {name: laptop, kind: ollama, url: 'http://127.0.0.1:9', zone: device}\n"
        "engine: {enabled: false}\n"
    )
    async with real_server(tmp_path, config) as client:
        await client.initialize()
        client.open("x = \n")

        result = await client.ask("textDocument/inlineCompletion", COMPLETION)

        assert result["items"] == []
        shown = (await client.call("window/showMessage"))["params"]["message"]
        assert "laptop" in shown
        answer = (await client.command("ringfence.status"))["answers"][-1]
        assert answer["result"] in {"no-route", "unreachable"}
        assert "laptop" in answer["detail"]
        await client.shut_down()


async def test_an_engine_without_a_model_says_how_to_get_one(tmp_path: Path) -> None:
    async with real_server(tmp_path, "engine: {enabled: true}\n") as client:
        await client.initialize()
        client.open("x = \n")

        await client.ask("textDocument/inlineCompletion", COMPLETION)

        shown = (await client.call("window/showMessage"))["params"]["message"]
        assert "ringfence models pull" in shown
        await client.shut_down()


async def test_a_private_folder_with_its_server_down_sends_nothing_to_the_cloud(
    tmp_path: Path,
) -> None:
    from tests.privacy.listeners import listening

    async with listening("127.0.0.3") as cloud:
        config = (
            "backends:\n"
            "  - {name: laptop, kind: llamacpp, url: 'http://127.0.0.1:9', zone: device}\n"
            f"  - {{name: far, kind: openai, url: '{cloud.url}', zone: cloud}}\n"
            "workspaces:\n"
            f"  - {{path: {tmp_path / 'private'}, allow: device}}\n"
            f"  - {{path: {tmp_path / 'open'}, allow: cloud}}\n"
            "engine: {enabled: false}\n"
        )
        (tmp_path / "private").mkdir()
        uri = (tmp_path / "private" / "a.py").as_uri()
        async with real_server(tmp_path, config) as client:
            await client.initialize()
            client.open("PRIVATE_MARK = \n", uri)
            for _ in range(3):
                await client.ask(
                    "textDocument/inlineCompletion",
                    {**COMPLETION, "textDocument": {"uri": uri}},
                )
            await client.kill()

    assert b"PRIVATE_MARK" not in cloud.received
    assert b"POST" not in cloud.received
