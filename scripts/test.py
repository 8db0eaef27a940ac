"""Run every check of the project, as CI does: lint, types, layers, tests.

Usage: python3 scripts/test.py [--fast] [arguments of pytest]

``--fast`` leaves out what needs the real engine and real editors.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time

from environment import ROOT, ensure


def main() -> int:
    """Install the locked tools into ``.venv-test`` and run each check; 1 if any failed."""
    arguments = sys.argv[1:]
    fast = "--fast" in arguments
    pytest_arguments = [argument for argument in arguments if argument != "--fast"]
    python = ensure(
        ".venv-test",
        ["pyproject.toml", "requirements/dev.lock"],
        [["--require-hashes", "--requirement", "requirements/dev.lock"], ["--no-deps", "-e", "."]],
    )
    tool = python.parent
    checks = [
        ("lint", [str(tool / "ruff"), "check", "."]),
        ("format", [str(tool / "ruff"), "format", "--check", "."]),
        ("types", [str(tool / "mypy")]),
        ("layers", [str(tool / "lint-imports"), "--no-logo"]),
        ("docs", [str(python), "scripts/document_configuration.py", "--check"]),
        ("extension", ["npm", "ci", "--no-audit", "--no-fund", "--prefix", "vscode-client"]),
        ("extension", ["npm", "test", "--prefix", "vscode-client"]),
        ("tests", [str(python), "-m", "pytest", *_selection(fast), *pytest_arguments]),
    ]
    if shutil.which("npm") is None:
        raise SystemExit("The VS Code extension's tests need Node 20 or newer; install it first.")
    # What tests fetch stays in the clone, and what they write is nobody's own.
    environment = os.environ | {
        "PATH": f"{tool}{os.pathsep}{os.environ.get('PATH', '')}",
        "RINGFENCE_MODELS": os.environ.get("RINGFENCE_MODELS", str(ROOT / ".models")),
        "RINGFENCE_STATE": str(ROOT / ".venv-test" / "state"),
        "RINGFENCE_CONFIG": str(ROOT / ".venv-test" / "no-config.yaml"),
    }
    failed = []
    for name, command in checks:
        print(f"== {name}", flush=True)
        started = time.monotonic()
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0:
            failed.append(name)
        print(f"-- {name}: {time.monotonic() - started:.0f} s", flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


def _selection(fast: bool) -> list[str]:
    return ["-m", "not engine and not editor"] if fast else []


if __name__ == "__main__":
    sys.exit(main())
