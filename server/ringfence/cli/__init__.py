"""The command line: one module per command. Nothing imports this package.

``main`` loads the module of the one command that is run: an editor waits for ``serve``.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command that this process's arguments name; exits with its code."""
    arguments = sys.argv[1:]
    if arguments in (["serve"], ["serve", "--stdio"]):
        # What editors run: reading options would delay every start by a tenth of a second.
        from .serving import serve_over_stdio

        sys.exit(serve_over_stdio())
    from .run import run

    sys.exit(run(arguments))
