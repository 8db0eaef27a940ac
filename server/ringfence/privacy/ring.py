"""The ring around each document: which policy holds for it, and whether it is used at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .clearance import Source, SourceKind
from .never_send import git_ignores, matches
from .places import identity, path_of, resolved
from .policy import FolderRule, Policy, Rule, combine
from .repository_policy import FILE, read_repository_policy
from .zones import Zone

#: Seconds for which a judgement is used again: a burst of typing costs one look.
MEMORY_SECONDS = 0.25

_MOST_REMEMBERED = 1000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What holds for one document.

    Attributes:
        policy: how far its text may travel.
        folder: the folder that decided, as an absolute path; None for none.
        file: the file's path relative to that folder, or its bare name.
        excluded: why the document is used in no prompt, in a sentence; None when it is.
    """

    policy: Policy
    folder: str | None
    file: str | None
    excluded: str | None = None


class Ring:
    """Judges documents by the user's rules, the repositories' and the editor's.

    A judgement looks at the disk anew once it is older than ``MEMORY_SECONDS``, so that a
    policy file that changed holds at once even when nobody reports the change.

    Args:
        rules: the user's own rules by folder; only they can grant anything.
        never_send: the user's globs for every folder.
        redact_secrets: whether secrets are masked where no rule says otherwise.
    """

    def __init__(
        self,
        rules: Sequence[FolderRule] = (),
        never_send: tuple[str, ...] = (),
        *,
        redact_secrets: bool = True,
    ) -> None:
        self._rules = tuple(rules)
        self._never_send = never_send
        self._redact = redact_secrets
        self._folders: tuple[Path, ...] = ()
        self._editor: dict[Path, Zone] = {}
        self._policies: dict[Path, tuple[tuple[int, int], Rule]] = {}
        self._seen: dict[str, Zone] = {}
        self._memory: dict[str, tuple[float, Verdict]] = {}
        self._listeners: list[Callable[[str | None], None]] = []

    def set_rules(self, rules: Sequence[FolderRule]) -> None:
        """Take the user's rules anew, after the configuration changed."""
        self._rules = tuple(rules)
        self._recheck()

    def set_folders(self, folders: Sequence[str]) -> None:
        """Take the URIs of the workspace folders that are open now."""
        paths = (path_of(uri) for uri in folders)
        self._folders = tuple(path for path in paths if path is not None)
        self._editor = {path: zone for path, zone in self._editor.items() if path in self._folders}
        self._recheck()

    def set_editor_setting(self, folder: str, allow: Zone | None) -> None:
        """Take the editor's own limit for one folder, by its URI; None when it sets none."""
        path = path_of(folder)
        if path is None:
            return
        if allow is None:
            self._editor.pop(path, None)
        else:
            self._editor[path] = allow
        self._recheck()

    def on_tightened(self, listener: Callable[[str | None], None]) -> None:
        """Call ``listener`` with a folder whose text may travel less far than before."""
        self._listeners.append(listener)

    def verdict(self, uri: str) -> Verdict:
        """Judge a document by its URI."""
        now = time.monotonic()
        remembered = self._memory.get(uri)
        if remembered is not None and now - remembered[0] < MEMORY_SECONDS:
            return remembered[1]
        verdict = self._verdict(uri)
        if len(self._memory) > _MOST_REMEMBERED:
            self._memory.clear()
        self._memory[uri] = (now, verdict)
        return verdict

    def source(self, uri: str, kind: SourceKind) -> Source:
        """Return the label for text that comes from a document."""
        verdict = self.verdict(uri)
        return Source(
            kind,
            allow=verdict.policy.allow,
            folder=verdict.folder,
            file=verdict.file,
            redact=verdict.policy.redact_secrets,
        )

    def refresh(self) -> None:
        """Judge every known folder again, after a policy file may have changed."""
        self._recheck()

    def _verdict(self, uri: str) -> Verdict:
        path = path_of(uri)
        if path is None:
            return Verdict(Policy(Zone.DEVICE, because="it is in no folder"), None, None)
        real = resolved(path)
        ways = (path,) if real == path else (path, real)
        verdicts = [self._judge(way) for way in ways]
        # By whichever name the strictest rule finds the file, it holds.
        strictest = min(verdicts, key=lambda verdict: verdict.policy.allow)
        excluded = next((v.excluded for v in verdicts if v.excluded is not None), None)
        verdict = Verdict(strictest.policy, strictest.folder, strictest.file, excluded)
        self._note(verdict)
        return verdict

    def _judge(self, path: Path) -> Verdict:
        ancestors = tuple(path.parents)
        user_folder, user = self._user_rule(ancestors)
        repository = self._repository_rules(ancestors)
        editor_folder, editor = self._editor_rules(ancestors)
        policy = combine(user, [*repository, *editor])
        folder = self._open_folder(ancestors) or user_folder or editor_folder
        relative = path.relative_to(folder).as_posix() if folder else path.name
        globs = (*self._never_send, *(user.never_send if user else ()))
        globs += tuple(glob for rule in repository for glob in rule.never_send)
        excluded = _why_excluded(path, relative, globs, ancestors)
        return Verdict(policy, str(folder) if folder else None, relative, excluded)

    def _user_rule(self, ancestors: tuple[Path, ...]) -> tuple[Path | None, Rule | None]:
        """Return the user's rule for the nearest enclosing folder."""
        if not self._rules:
            return None, None
        by_identity = {identity(rule.path.expanduser()): rule for rule in self._rules}
        by_path = {rule.path.expanduser(): rule for rule in self._rules}
        for folder in ancestors:
            rule = by_path.get(folder)
            if rule is None and (found := identity(folder)) is not None:
                rule = by_identity.get(found)
            if rule is not None:
                words = f"the user's configuration for {folder.name or folder}"
                redact = rule.redact_secrets and self._redact
                return folder, Rule(words, rule.allow, rule.never_send, redact)
        return None, None

    def _repository_rules(self, ancestors: tuple[Path, ...]) -> list[Rule]:
        """Return what the policy files on the way to the file say; each can only tighten."""
        return [rule for folder in ancestors if (rule := self._repository_rule(folder / FILE))]

    def _repository_rule(self, file: Path) -> Rule | None:
        try:
            status = file.lstat()
        except FileNotFoundError:
            return None
        except OSError:
            return read_repository_policy(file)
        stamp = (status.st_mtime_ns, status.st_size)
        known = self._policies.get(file)
        if known is None or known[0] != stamp or file.is_symlink():
            known = self._policies[file] = (stamp, read_repository_policy(file))
        return known[1]

    def _editor_rules(self, ancestors: tuple[Path, ...]) -> tuple[Path | None, list[Rule]]:
        found = [folder for folder in ancestors if folder in self._editor]
        rules = [Rule("the editor's setting", self._editor[folder]) for folder in found]
        return (found[0] if found else None), rules

    def _open_folder(self, ancestors: tuple[Path, ...]) -> Path | None:
        return next((folder for folder in ancestors if folder in self._folders), None)

    def _note(self, verdict: Verdict) -> None:
        """Remember how far a folder's text may travel, and tell when that has become less."""
        if verdict.folder is None:
            return
        before = self._seen.get(verdict.folder, verdict.policy.allow)
        self._seen[verdict.folder] = verdict.policy.allow
        if verdict.policy.allow < before:
            for listener in self._listeners:
                listener(verdict.folder)

    def _recheck(self) -> None:
        self._memory.clear()
        for folder in list(self._seen):
            self.verdict(f"{Path(folder).as_uri()}/x")


def _why_excluded(
    path: Path, relative: str, globs: tuple[str, ...], ancestors: tuple[Path, ...]
) -> str | None:
    glob = matches(relative, globs) or matches(path.as_posix().lstrip("/"), globs)
    if glob is not None:
        return f"Files that match {glob!r} are used in no prompt (never_send)."
    repository = next((folder for folder in ancestors if (folder / ".git").exists()), None)
    if git_ignores(path, repository):
        return "Files that git ignores are used in no prompt."
    return None
