"""The `gamedyn` command: one dataclass per subcommand, its fields the flags.

Nothing heavy is imported until a subcommand runs, so `gamedyn --help` is instant. A user's mistake
ends with exit code 2 and at most two lines on standard error, the first naming what was wrong.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, TypeAlias, cast, get_args

import tyro

from gamedyn.cli.demo import Demo
from gamedyn.cli.evaluate import Evaluate
from gamedyn.cli.icr import IcrBilinear, IcrQuadratic, IcrStability
from gamedyn.cli.messages import short_message
from gamedyn.cli.presets import Presets
from gamedyn.cli.report import Report
from gamedyn.cli.reproduce import Reproduce
from gamedyn.cli.sample import Sample
from gamedyn.cli.study import StudyCommand
from gamedyn.cli.train import Train

OUT_OF_MEMORY = "gamedyn: error: out of memory: choose smaller sizes"


Figures: TypeAlias = (
    Annotated[IcrQuadratic, tyro.conf.subcommand("quadratic")]
    | Annotated[IcrStability, tyro.conf.subcommand("stability")]
    | Annotated[IcrBilinear, tyro.conf.subcommand("bilinear")]
)


class Command(Protocol):
    """What `main` needs of a subcommand: something to run."""

    def run(self) -> None:
        """Do the work, printing progress and what was found."""


@dataclass
class Icr:
    """Draw the figures of implicit competitive regularisation (Schäfer, Zheng, Anandkumar 2020)."""

    figure: Annotated[Figures, tyro.conf.arg(name="")]

    def run(self) -> None:
        """Draw the chosen figure."""
        self.figure.run()


def subcommands(train: Train) -> Any:
    """List the subcommands, one member of a union each.

    Args:
        train: What the flags of `gamedyn train` override.

    Returns:
        The union, for tyro.
    """
    return (
        Annotated[Icr, tyro.conf.subcommand("icr")]
        | Annotated[Train, tyro.conf.subcommand("train", default=train)]
        | Annotated[Presets, tyro.conf.subcommand("presets")]
        | Annotated[StudyCommand, tyro.conf.subcommand("study")]
        | Annotated[Reproduce, tyro.conf.subcommand("reproduce")]
        | Annotated[Sample, tyro.conf.subcommand("sample")]
        | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
        | Annotated[Report, tyro.conf.subcommand("report")]
        | Annotated[Demo, tyro.conf.subcommand("demo")]
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code.

    Args:
        argv: The arguments after the program's name; `None` takes them from `sys.argv`.

    Returns:
        0 when the command ran (or a training run was stopped and saved), 1 when it was interrupted, 2 for a
        user's mistake.

    Raises:
        RuntimeError: If something failed that is no user's mistake.

    Example:
        >>> main(["--version"])
        gamedyn 0.1.0
        0
    """
    args = list(sys.argv[1:] if argv is None else argv)
    if args == ["--version"]:
        from gamedyn import __version__

        print(f"gamedyn {__version__}")
        return 0
    try:
        command = parse(args)
        if isinstance(command, Train) and (stored := command.stored_settings()):
            command = parse(args, Train(settings=stored))
            if isinstance(command, Train) and (adapted := command.adapted_settings()):
                command = parse(args, Train(settings=adapted))
        command.run()
    except SystemExit as stop:
        return int(stop.code or 0)
    except BrokenPipeError:  # as by `gamedyn presets | head`; nobody is left to be told
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError) as error:
        # ValueErrors of gamedyn are written for users: they print the value and name the mend.
        print(f"gamedyn: error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except MemoryError:
        print(OUT_OF_MEMORY, file=sys.stderr)
        return 2
    except RuntimeError as error:
        # Torch has no MemoryError: its CPU and its accelerators say it in words.
        if "can't allocate memory" not in str(error) and "out of memory" not in str(error):
            raise
        print(OUT_OF_MEMORY, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("gamedyn: interrupted", file=sys.stderr)
        return 1
    return 0


def parse(args: Sequence[str], train: Train | None = None) -> Command:
    """Turn arguments into the subcommand they name.

    Args:
        args: The arguments after the program's name.
        train: What the flags of `gamedyn train` override, where they override stored settings.

    Returns:
        The subcommand, its fields set.

    Raises:
        SystemExit: With code 0 after `--help`, with code 2 (and two lines printed) after a mistake.
    """
    captured = io.StringIO()
    try:
        with contextlib.redirect_stderr(captured):
            command = tyro.cli(
                subcommands(train or Train()),
                args=args,
                prog="gamedyn",
                description="Differentiable games: ICR figures, GAN training with competitive optimizers.",
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
            )
    except SystemExit as stop:
        if stop.code:
            print(short_message(captured.getvalue(), place(args)), file=sys.stderr)
        raise
    return cast("Command", command)


def place(args: Sequence[str]) -> str:
    """Name the subcommand that arguments are for.

    Args:
        args: The arguments after the program's name.

    Returns:
        As it is typed, for instance `gamedyn icr bilinear`; `gamedyn` where none is named.

    Example:
        >>> place(["icr", "bilinear", "--eta"]), place(["study", "digits-long"]), place(["--steps"])
        ('gamedyn icr bilinear', 'gamedyn study', 'gamedyn')
    """
    words, kinds = ["gamedyn"], {"gamedyn": subcommands(Train()), "icr": Figures}
    for word in args:
        if word not in {one.__metadata__[0].name for one in get_args(kinds.get(words[-1]))}:
            break
        words.append(word)
    return " ".join(words)
