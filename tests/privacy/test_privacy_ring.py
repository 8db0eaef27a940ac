"""Which policy holds for a document: the strictest of all that speak of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringfence.privacy import FolderRule, Ring, SourceKind, Zone
from ringfence.privacy.policy import Rule, combine


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "src").mkdir(parents=True)
    return folder


def ring_for(*rules: FolderRule, folders: tuple[Path, ...] = ()) -> Ring:
    ring = Ring(rules)
    ring.set_folders([folder.as_uri() for folder in folders])
    return ring


def allowed(ring: Ring, path: Path) -> Zone:
    ring.refresh()
    return ring.verdict(path.as_uri()).policy.allow


def test_what_nobody_speaks_of_stays_on_the_device(work: Path) -> None:
    assert allowed(ring_for(folders=(work,)), work / "a.py") is Zone.DEVICE


def test_the_users_rule_grants(work: Path) -> None:
    ring = ring_for(FolderRule(work, Zone.CLOUD), folders=(work,))

    assert allowed(ring, work / "src" / "a.py") is Zone.CLOUD
    assert allowed(ring, work.parent / "other.py") is Zone.DEVICE


def test_the_nearest_of_the_users_rules_counts(work: Path) -> None:
    ring = ring_for(FolderRule(work, Zone.DEVICE), FolderRule(work / "src", Zone.CLOUD))

    assert allowed(ring, work / "src" / "a.py") is Zone.CLOUD
    assert allowed(ring, work / "a.py") is Zone.DEVICE


def test_a_repository_can_tighten(work: Path) -> None:
    (work / ".ringfence.yaml").write_text("allow: network\n")

    assert allowed(ring_for(FolderRule(work, Zone.CLOUD)), work / "a.py") is Zone.NETWORK


def test_a_repository_cannot_loosen(work: Path) -> None:
    (work / ".ringfence.yaml").write_text("allow: cloud\nredact_secrets: false\n")
    ring = ring_for(FolderRule(work, Zone.NETWORK))

    assert allowed(ring, work / "a.py") is Zone.NETWORK
    assert ring.verdict((work / "a.py").as_uri()).policy.redact_secrets


def test_a_nested_repository_cannot_loosen_what_encloses_it(work: Path) -> None:
    (work / ".ringfence.yaml").write_text("allow: device\n")
    (work / "src" / ".ringfence.yaml").write_text("allow: cloud\n")

    assert allowed(ring_for(FolderRule(work, Zone.CLOUD)), work / "src" / "a.py") is Zone.DEVICE


@pytest.mark.parametrize(
    "text",
    [
        "allow: moon\n",
        "alow: cloud\n",
        "- a\n",
        "a: [\n",
        "backends: []\n",
        "allow: 1\n",
        "never_send: .env\n",
        "redact_secrets: maybe\n",
        "x" * 70_000,
    ],
    ids=["zone", "typo", "list", "no yaml", "loosening", "number", "no list", "no bool", "huge"],
)
def test_a_policy_that_is_not_understood_means_device_and_says_so(work: Path, text: str) -> None:
    (work / ".ringfence.yaml").write_text(text)
    ring = ring_for(FolderRule(work, Zone.CLOUD))

    policy = ring.verdict((work / "a.py").as_uri()).policy

    assert policy.allow is Zone.DEVICE
    assert "work/.ringfence.yaml" in policy.problems[0]


def test_a_policy_that_is_a_folder_means_device(work: Path) -> None:
    (work / ".ringfence.yaml").mkdir()

    assert allowed(ring_for(FolderRule(work, Zone.CLOUD)), work / "a.py") is Zone.DEVICE


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_a_policy_that_is_a_dead_link_means_device(work: Path) -> None:
    (work / ".ringfence.yaml").symlink_to(work / "nowhere")

    assert allowed(ring_for(FolderRule(work, Zone.CLOUD)), work / "a.py") is Zone.DEVICE


def test_the_editors_setting_tightens_its_folder(work: Path) -> None:
    ring = ring_for(FolderRule(work, Zone.CLOUD), folders=(work,))

    ring.set_editor_setting(work.as_uri(), Zone.DEVICE)

    assert allowed(ring, work / "a.py") is Zone.DEVICE


def test_the_editors_setting_cannot_loosen(work: Path) -> None:
    ring = ring_for(folders=(work,))

    ring.set_editor_setting(work.as_uri(), Zone.CLOUD)

    assert allowed(ring, work / "a.py") is Zone.DEVICE


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_a_link_out_of_a_private_folder_does_not_free_its_text(work: Path, tmp_path: Path) -> None:
    public = tmp_path / "public"
    public.mkdir()
    (work / "a.py").write_text("private")
    (public / "link.py").symlink_to(work / "a.py")
    ring = ring_for(FolderRule(public, Zone.CLOUD), FolderRule(work, Zone.DEVICE))

    assert allowed(ring, public / "link.py") is Zone.DEVICE


@pytest.mark.skipif(os.name == "nt", reason="symbolic links need rights on Windows")
def test_a_rule_holds_by_whatever_name_its_folder_is_reached(work: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(work)
    ring = ring_for(FolderRule(tmp_path / "alias", Zone.CLOUD))

    assert allowed(ring, work / "a.py") is Zone.CLOUD


def test_dots_in_a_path_lead_nowhere_else(work: Path) -> None:
    ring = ring_for(FolderRule(work, Zone.CLOUD))

    verdict = ring.verdict(work.as_uri() + "/../other/a.py")

    assert verdict.policy.allow is Zone.DEVICE


@pytest.mark.parametrize(
    "uri",
    ["untitled:Untitled-1", "vscode-remote://ssh/work/a.py", "git:/work/a.py", "nonsense", ""],
)
def test_what_is_no_file_of_this_disk_stays_on_the_device(uri: str) -> None:
    ring = ring_for(FolderRule(Path("/"), Zone.CLOUD))

    assert ring.verdict(uri).policy.allow is Zone.DEVICE


def test_a_notebooks_cell_is_judged_as_its_notebook(work: Path) -> None:
    ring = ring_for(FolderRule(work, Zone.NETWORK))
    uri = (work / "n.ipynb").as_uri().replace("file:", "vscode-notebook-cell:") + "#W0"

    assert ring.verdict(uri).policy.allow is Zone.NETWORK


@pytest.mark.parametrize(
    "name",
    [".env", ".ENV", ".env.local", "src/prod.env", "id_rsa", "src/server.pem", ".aws/credentials"],
)
def test_files_of_secrets_are_used_in_no_prompt(work: Path, name: str) -> None:
    ring = ring_for(FolderRule(work, Zone.CLOUD), folders=(work,))

    excluded = ring.verdict((work / name).as_uri()).excluded

    assert excluded is not None
    assert "never_send" in excluded


def test_globs_add_to_the_defaults(work: Path) -> None:
    (work / ".ringfence.yaml").write_text('never_send: ["*.sql", "!.env"]\n')
    ring = ring_for(FolderRule(work, Zone.CLOUD, never_send=("legal/**",)), folders=(work,))

    for name in ("dump.sql", ".env", "legal/terms.md"):
        assert ring.verdict((work / name).as_uri()).excluded is not None
    assert ring.verdict((work / "a.py").as_uri()).excluded is None


def test_what_git_ignores_is_used_in_no_prompt(work: Path) -> None:
    (work / ".git").mkdir()
    (work / ".gitignore").write_text("build/\n*.log\n")
    (work / "src" / ".gitignore").write_text("!keep.log\n")
    ring = ring_for(folders=(work,))

    assert ring.verdict((work / "build" / "a.py").as_uri()).excluded is not None
    assert ring.verdict((work / "src" / "x.log").as_uri()).excluded is not None
    assert ring.verdict((work / "src" / "keep.log").as_uri()).excluded is None


def test_tightening_is_told_at_once(work: Path) -> None:
    ring = ring_for(FolderRule(work, Zone.CLOUD), folders=(work,))
    ring.verdict((work / "a.py").as_uri())
    told: list[str | None] = []
    ring.on_tightened(told.append)

    (work / ".ringfence.yaml").write_text("allow: device\n")
    ring.refresh()

    assert told == [str(work)]


def test_a_label_carries_what_holds(work: Path) -> None:
    ring = ring_for(FolderRule(work, Zone.NETWORK), folders=(work,))

    source = ring.source((work / "src" / "a.py").as_uri(), SourceKind.DOCUMENT)

    assert (source.allow, source.folder, source.file) == (Zone.NETWORK, str(work), "src/a.py")


_zones = st.sampled_from([None, *Zone])
_rules = st.builds(Rule, st.just("layer"), _zones, problem=st.sampled_from(["", "broken"]))


@given(_rules | st.none(), st.lists(_rules, max_size=5))
def test_no_layer_but_the_users_can_grant(user: Rule | None, others: list[Rule]) -> None:
    granted = user.allow if user is not None and not user.problem else None

    assert combine(user, others).allow <= (granted or Zone.DEVICE)


@given(_rules | st.none(), st.lists(_rules, max_size=4), _rules)
def test_one_more_rule_never_loosens(user: Rule | None, others: list[Rule], more: Rule) -> None:
    assert combine(user, [*others, more]).allow <= combine(user, others).allow


@given(_rules, st.lists(_rules, max_size=4))
def test_a_broken_layer_means_device(user: Rule, others: list[Rule]) -> None:
    if any(rule.problem for rule in [user, *others]):
        assert combine(user, others).allow is Zone.DEVICE
