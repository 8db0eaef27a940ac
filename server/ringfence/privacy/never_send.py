"""Files that are used in no prompt at all, not even a local one."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from pathspec import GitIgnoreSpec

#: Environment files, keys and credential stores, by what their tools call them.
#: Additions add to this list; nothing takes away from it.
DEFAULTS = (
    ".env",
    ".env.*",
    "*.env",
    ".envrc",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.keystore",
    "*.kdbx",
    "*.ppk",
    "*.asc",
    "*.gpg",
    "*.age",
    "id_rsa*",
    "id_dsa*",
    "id_ecdsa*",
    "id_ed25519*",
    ".ssh/**",
    ".gnupg/**",
    ".aws/**",
    ".azure/**",
    ".kube/**",
    ".config/gcloud/**",
    ".docker/config.json",
    ".netrc",
    "_netrc",
    ".npmrc",
    ".pypirc",
    ".pgpass",
    ".my.cnf",
    ".git-credentials",
    ".htpasswd",
    ".vault-token",
    "credentials",
    "credentials.*",
    "*credentials*.json",
    "secrets.*",
    "*.secret",
    "*.secrets",
    "service-account*.json",
    "*.tfstate",
    "*.tfstate.*",
    "*.tfvars",
    ".git/**",
)


@lru_cache(maxsize=256)
def _spec(globs: tuple[str, ...]) -> GitIgnoreSpec:
    return GitIgnoreSpec.from_lines(glob.lower() for glob in globs)


@lru_cache(maxsize=512)
def _ignore_file(path: str, stamp: tuple[int, int]) -> GitIgnoreSpec | None:
    del stamp  # a part of the key, so that a changed file is read again
    try:
        return GitIgnoreSpec.from_lines(Path(path).read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError):
        return None


def matches(relative: str, globs: tuple[str, ...]) -> str | None:
    """Return the glob that covers a file, or None. Case is ignored.

    Args:
        relative: the path relative to its folder, with forward slashes.
        globs: additional globs, in the syntax of ``.gitignore``.
    """
    lowered = relative.lower()
    # Each list is asked alone, so that a negated glob takes nothing from the defaults.
    for source in (DEFAULTS, globs):
        if not source:
            continue
        result = _spec(source).check_file(lowered)
        if result.include and result.index is not None:
            return source[result.index]
    return None


def git_ignores(path: Path, stop: Path | None) -> bool:
    """Tell whether git ignores ``path`` by the ``.gitignore`` files on the way to it.

    Args:
        path: an absolute path.
        stop: the repository's folder, where the way begins; None for no repository.
    """
    if stop is None:
        return False
    ignored = False
    sources = [(stop / ".git" / "info" / "exclude", stop)]
    folders = [folder for folder in (*reversed(path.parents),) if folder.is_relative_to(stop)]
    sources += [(folder / ".gitignore", folder) for folder in folders]
    for file, base in sources:
        try:
            status = file.stat()
        except OSError:
            continue
        spec = _ignore_file(str(file), (status.st_mtime_ns, status.st_size))
        if spec is None:
            continue
        verdict = spec.check_file(path.relative_to(base).as_posix()).include
        if verdict is not None:
            ignored = verdict
    return ignored
