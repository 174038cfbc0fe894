"""Run an experiment's script by its path; a user's mistake ends it in one line with exit code 2.

`python -m gamedyn.experiments.script FILE ARGUMENTS` is `python FILE ARGUMENTS` but for the traceback.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path


def run_script(arguments: Sequence[str]) -> int:
    """Run a script as the program.

    Args:
        arguments: The script's file and what it is to be called with.

    Returns:
        0 where it ran, 2 where a value or a file was wrong.
    """
    sys.argv = list(arguments)
    try:
        runpy.run_path(arguments[0], run_name="__main__")
    except (ValueError, OSError) as error:
        print(f"{Path(arguments[0]).stem}: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(run_script(sys.argv[1:]))
