"""From a fresh clone to real ghost text: install, fetch engine and model, complete code.

Usage: python3 scripts/try.py [options of `ringfence try`]
"""

from __future__ import annotations

import subprocess
import sys

from environment import ROOT, ensure


def main() -> int:
    """Install into ``.venv`` and run ``ringfence try`` there."""
    python = ensure(".venv", ["pyproject.toml"], [["--editable", ".[engine]"]])
    try:
        command = [str(python), "-m", "ringfence", "try", *sys.argv[1:]]
        return subprocess.run(command, cwd=ROOT, check=False).returncode
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
