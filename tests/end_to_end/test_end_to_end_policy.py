"""Changing the flag in the editor: tightening holds at once, loosening is the user's to say."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ringfence.config.load import load_settings
from ringfence.privacy import Zone
from tests.end_to_end.server import real_server
from tests.fakes import FakeLlamaCpp, Script
from tests.lsp.raw_client import ServerProcess

CONFIG = "# mine\nengine: {{enabled: false}}\nworkspaces:\n  - {{path: {folder}, allow: {allow}}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def set_policy(client: ServerProcess, folder: Path, allow: str) -> int:
    arguments = {"uri": folder.as_uri(), "allow": allow}
    return client.start_command("ringfence.setPolicy", arguments)


def allowed(tmp_path: Path) -> Zone:
    return load_settings(tmp_path / "config.yaml").settings.workspaces[0].allow


async def test_tightening_asks_nothing_and_is_written_down(tmp_path: Path, folder: Path) -> None:
    async with real_server(tmp_path, CONFIG.format(folder=folder, allow="cloud")) as client:
        await client.initialize()

        result = await client.result(set_policy(client, folder, "device"))

        assert (result["changed"], result["allow"]) == (True, "device")
        await client.shut_down()
    assert allowed(tmp_path) is Zone.DEVICE
    assert "# mine" in (tmp_path / "config.yaml").read_text()


@pytest.mark.parametrize(("answer", "zone"), [("Allow", Zone.NETWORK), (None, Zone.DEVICE)])
async def test_loosening_needs_the_users_yes(
    tmp_path: Path, folder: Path, answer: str | None, zone: Zone
) -> None:
    async with real_server(tmp_path, CONFIG.format(folder=folder, allow="device")) as client:
        await client.initialize()
        request = set_policy(client, folder, "network")

        question = await client.call("window/showMessageRequest")
        assert "network" in question["params"]["message"]
        client.respond(question, {"title": answer} if answer else None)

        assert (await client.result(request))["changed"] is (answer is not None)
        await client.shut_down()
    assert allowed(tmp_path) is zone


async def test_tightening_in_mid_request_stops_what_is_under_way(
    tmp_path: Path, folder: Path
) -> None:
    async with FakeLlamaCpp() as fake:
        fake.always(Script(delay=60))
        config = CONFIG.format(folder=folder, allow="network") + (
            f"backends:\n  - {{name: team, kind: llamacpp, url: '{fake.url}', zone: network}}\n"
        )
        uri = (folder / "a.py").as_uri()
        params: dict[str, Any] = {
            "textDocument": {"uri": uri},
            "position": {"line": 0, "character": 4},
            "context": {"triggerKind": 1},
        }
        async with real_server(tmp_path, config) as client:
            await client.initialize()
            client.open("x = \n", uri)
            completion = client.request("textDocument/inlineCompletion", params)
            async with asyncio.timeout(20):
                while not fake.generations:
                    await asyncio.sleep(0.05)

            await client.result(set_policy(client, folder, "device"))

            assert (await client.result(completion))["items"] == []
            await fake.idle()
            assert fake.generations[0].disconnected
            await client.kill()


async def test_a_route_is_explained_for_a_documents_own_policy(
    tmp_path: Path, folder: Path
) -> None:
    async with real_server(tmp_path, CONFIG.format(folder=folder, allow="network")) as client:
        await client.initialize()

        answer = await client.command(
            "ringfence.explainRoute", {"task": "refactor", "uri": (folder / "a.py").as_uri()}
        )

        assert answer["task"]["allow"] == "network"
        assert not answer["decided"]
        assert answer["text"]
        await client.shut_down()
