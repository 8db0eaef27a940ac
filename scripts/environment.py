"""Make an isolated Python environment for this clone, once per change of what it holds."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)


def ensure(name: str, inputs: list[str], installs: list[list[str]]) -> Path:
    """Return the Python of environment ``name``, made anew when ``inputs`` have changed.

    Args:
        name: the environment's folder, in the clone.
        inputs: files of the clone that decide what is installed.
        installs: arguments of the ``pip install`` calls that fill the environment.

    Raises:
        SystemExit: with one sentence, when the environment cannot be made.
    """
    if sys.version_info < OLDEST:
        raise SystemExit(
            f"Ringfence needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is "
            f"{sys.version_info[0]}.{sys.version_info[1]}. Run the script with a newer python3."
        )
    folder = ROOT / name
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = folder / "installed.sha256"
    wanted = _digest(inputs, installs)
    if python.exists() and stamp.exists() and stamp.read_text() == wanted:
        return python
    print(f"Installing into {name} ...", file=sys.stderr, flush=True)
    try:
        venv.create(folder, with_pip=True, clear=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            f"Could not make the environment {name}: {error}. On Debian and Ubuntu, "
            "install the package python3-venv and run this again."
        ) from error
    for arguments in installs:
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*command, *arguments], cwd=ROOT, check=False).returncode != 0:
            raise SystemExit(
                f"pip could not install {' '.join(arguments)}; its message stands above. "
                "Check the network and run this again."
            )
    stamp.write_text(wanted)
    return python


def _digest(inputs: list[str], installs: list[list[str]]) -> str:
    digest = hashlib.sha256(repr((installs, sys.version_info[:2])).encode())
    for path in inputs:
        digest.update((ROOT / path).read_bytes())
    return digest.hexdigest()
