"""How an experiment's script begins: flags from its dataclass, and a user's mistake in one line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import tyro

from gamedyn.divergence import DivergenceError
from gamedyn.experiments.bounds import check_arguments
from gamedyn.experiments.catalogue import read_header

Arguments = TypeVar("Arguments")
MISTAKE = 2
"""The exit code where a value or a file was wrong."""


def run_script(main: Callable[[Arguments], object], arguments: type[Arguments]) -> None:
    """Read a script's flags and run it.

    Args:
        main: What it does.
        arguments: The dataclass of its flags.

    Raises:
        SystemExit: With 2, where a value or a file was wrong: one line says which.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass
        ... class Args:
        ...     steps: int = 3
        >>> sys.argv = ["walk.py"]
        >>> run_script(lambda args: print(args.steps, "steps"), Args)
        3 steps
    """
    try:
        args = tyro.cli(arguments, description=description(sys.modules[arguments.__module__].__doc__ or ""))
        check_arguments(args)
        main(args)
    except (ValueError, OSError) as error:
        refuse(str(error), error)
    except DivergenceError as error:
        refuse(f"diverged: {error}; lower the step sizes", error)
    except MemoryError as error:
        refuse("out of memory: choose smaller sizes", error)


def description(text: str) -> str:
    r"""Write a script's header for its help.

    Args:
        text: The docstring that the script begins with.

    Returns:
        Its title, and a paragraph for everything that it says.

    Example:
        >>> description("A title.\n\nClaim     one is less\n          than two")
        'A title.\n\nClaim: one is less than two'
    """
    title, header = read_header(text)
    return "\n\n".join(
        [title, *(f"{word.capitalize()}: {words}" for word, words in header.items() if word != "command")]
    )


def refuse(reason: str, error: BaseException) -> NoReturn:
    """End the script with a line.

    Args:
        reason: What was wrong, and the mend.
        error: What it comes from.

    Raises:
        SystemExit: Always, with 2.
    """
    print(f"{Path(sys.argv[0]).stem}: error: {' '.join(reason.split())}", file=sys.stderr)
    raise SystemExit(MISTAKE) from error
