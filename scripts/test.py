"""Run every check of the project, as CI does: lint, types, layers, tests.

Usage: python3 scripts/test.py [--fast] [arguments of pytest]

``--fast`` leaves out what needs the real engine and real editors.
"""

from __future__ import annotations

import os
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
    checks = {
        "lint": [str(tool / "ruff"), "check", "."],
        "format": [str(tool / "ruff"), "format", "--check", "."],
        "types": [str(tool / "mypy")],
        "layers": [str(tool / "lint-imports"), "--no-logo"],
        "tests": [
            str(python),
            "-m",
            "pytest",
            *(["-m", "not engine and not editor"] if fast else []),
            *pytest_arguments,
        ],
    }
    environment = os.environ | {"PATH": f"{tool}{os.pathsep}{os.environ.get('PATH', '')}"}
    checks["extension"] = ["npm", "--prefix", "vscode-client", "run", "ci"]
    failed = []
    for name, command in checks.items():
        print(f"== {name}", flush=True)
        started = time.monotonic()
        if subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode != 0:
            failed.append(name)
        print(f"-- {name}: {time.monotonic() - started:.0f} s", flush=True)
    if failed:
        print(f"Failed: {', '.join(failed)}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
