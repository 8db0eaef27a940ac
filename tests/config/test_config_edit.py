"""Changing one workspace's policy changes that and nothing else in the file."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.config.edit import ConfigNotEdited, set_workspace_policy
from ringfence.config.load import load_settings
from ringfence.privacy import Zone

FOLDER = Path("/code/acme")
ENTRY = '{path: "/code/acme", allow: network}'


def edited(path: Path, text: str, allow: Zone = Zone.NETWORK, folder: Path = FOLDER) -> str:
    path.write_bytes(text.encode())
    set_workspace_policy(path, folder, allow)
    return path.read_bytes().decode()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "workspaces:\n  - {path: /code/acme, allow: device}  # theirs\n",
            "workspaces:\n  - {path: /code/acme, allow: network}  # theirs\n",
        ),
        (
            "workspaces:\n- path: /code/acme  # theirs\n  allow: 'device'\n",
            "workspaces:\n- path: /code/acme  # theirs\n  allow: network\n",
        ),
        (
            "workspaces:\n- path: /code/acme\n  allow:\n",
            "workspaces:\n- path: /code/acme\n  allow: network\n",
        ),
        (
            "workspaces:\n- path: /code/acme/  # theirs\n",
            "workspaces:\n- allow: network\n  path: /code/acme/  # theirs\n",
        ),
        (
            "workspaces: [{path: /code/acme}]\n",
            "workspaces: [{allow: network, path: /code/acme}]\n",
        ),
        (
            "workspaces:\n  # one\n  - {path: /a} # far\n\n# rest\nengine: {}\n",
            f"workspaces:\n  # one\n  - {{path: /a}} # far\n  - {ENTRY}\n\n# rest\nengine: {{}}\n",
        ),
        (
            "workspaces:\r\n- path: /a\r\n",
            'workspaces:\r\n- path: /a\r\n- {path: "/code/acme", allow: network}\r\n',
        ),
        (
            "workspaces: []\n",
            'workspaces: [{path: "/code/acme", allow: network}]\n',
        ),
        (
            "workspaces:\nengine: {}\n",
            'workspaces: [{path: "/code/acme", allow: network}]\nengine: {}\n',
        ),
        (
            "workspaces: ~ # none\n",
            'workspaces: [{path: "/code/acme", allow: network}] # none\n',
        ),
        (
            "engine: {enabled: false} # off",
            f"engine: {{enabled: false}} # off\nworkspaces:\n  - {ENTRY}\n",
        ),
        ("", 'workspaces:\n  - {path: "/code/acme", allow: network}\n'),
        ("# nothing\n", '# nothing\nworkspaces:\n  - {path: "/code/acme", allow: network}\n'),
    ],
)
def test_the_entry_is_changed_or_added_and_all_else_stays(
    file: Path, before: str, after: str
) -> None:
    assert edited(file, before) == after


def test_a_missing_file_is_made_for_its_user_alone(tmp_path: Path) -> None:
    file = tmp_path / "new" / "config.yaml"

    set_workspace_policy(file, FOLDER, Zone.CLOUD)

    assert load_settings(file).settings.workspaces[0].allow is Zone.CLOUD
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o600, 0o640])
def test_the_permissions_stay(file: Path, mode: int) -> None:
    file.write_text("engine: {}\n")
    file.chmod(mode)

    set_workspace_policy(file, FOLDER, Zone.CLOUD)

    assert stat.S_IMODE(file.stat().st_mode) == mode


def test_a_link_stays_a_link(tmp_path: Path, file: Path) -> None:
    target = tmp_path / "dotfiles.yaml"
    target.write_text("engine: {}\n")
    file.symlink_to(target)

    set_workspace_policy(file, FOLDER, Zone.CLOUD)

    assert file.is_symlink()
    assert "acme" in target.read_text()


def test_the_home_folder_s_short_name_is_understood(file: Path) -> None:
    text = edited(file, "workspaces: [{path: ~/x, allow: device}]\n", folder=Path.home() / "x")

    assert text == "workspaces: [{path: ~/x, allow: network}]\n"


@pytest.mark.parametrize(
    "text",
    [
        "completoin: {}\n",
        "workspaces: [\n",
        "{engine: {}}\n",
        "workspaces: &w [{path: /a}]\n...\n",
        "engine: {}\n...\n",
    ],
)
def test_a_file_that_cannot_be_edited_safely_is_left_alone(file: Path, text: str) -> None:
    with pytest.raises(ConfigNotEdited):
        edited(file, text)

    assert file.read_text() == text
    assert [path.name for path in file.parent.iterdir()] == ["config.yaml"]


def test_a_folder_s_odd_name_is_quoted(file: Path) -> None:
    folder = Path('/code/ä "quoted": {x} # no comment')

    edited(file, "engine: {}\n", folder=folder)

    assert load_settings(file).settings.workspaces[0].path == folder


def test_a_name_that_reads_as_a_reference_is_refused(file: Path) -> None:
    with pytest.raises(ConfigNotEdited):
        edited(file, "engine: {}\n", folder=Path("/code/${HOME}"))


entries = st.lists(
    st.tuples(
        st.sampled_from(["/code/acme", "/code/other", "~/x", "/code/a b"]),
        st.sampled_from(["", "device", "network", "cloud", "'cloud'"]),
        st.booleans(),
        st.sampled_from(["", "  # a comment", "  # {path: /code/acme}"]),
    ),
    unique_by=lambda entry: entry[0],
    max_size=4,
)


@given(
    entries,
    st.sampled_from(["", "engine: {}\n", "# a comment\n\n"]),
    st.sampled_from(["", "engine: {}\n", "\n# the end", "health:\n  retry_count: 1\n"]),
    st.sampled_from(["", "  "]),
    st.sampled_from(list(Zone)),
)
def test_whatever_the_layout_only_that_entry_changes(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[tuple[str, str, bool, str]],
    head: str,
    tail: str,
    indent: str,
    allow: Zone,
) -> None:
    if head == tail:
        tail = ""
    text = f"{head}workspaces:\n"
    for path, zone, flow, comment in entries:
        quoted = f'"{path}"'
        if flow:
            allowed = f", allow: {zone}" if zone else ""
            text += f"{indent}- {{path: {quoted}{allowed}}}{comment}\n"
        else:
            text += f"{indent}- path: {quoted}{comment}\n"
            text += f"{indent}  allow: {zone}{comment}\n" if zone else ""
    text += tail
    file = tmp_path_factory.mktemp("edit") / "config.yaml"
    file.write_text(text)
    before = load_settings(file)
    assert not before.errors

    set_workspace_policy(file, FOLDER, allow)

    after = load_settings(file)
    assert not after.errors
    policies = {workspace.path: workspace.allow for workspace in after.settings.workspaces}
    expected = {workspace.path: workspace.allow for workspace in before.settings.workspaces}
    assert policies == {**expected, FOLDER: allow}
    assert after.settings.engine == before.settings.engine
    comments = [line.partition("#")[2] for line in text.splitlines()]
    assert [c for c in comments if c] == [
        c for c in (line.partition("#")[2] for line in file.read_text().splitlines()) if c
    ]
