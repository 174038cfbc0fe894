"""What was wrong with a command line, in two lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise


def short_message(boxed: str, command: str = "gamedyn") -> str:
    r"""Reduce tyro's boxed error report to two lines: what was wrong, and where the help is.

    The box's sections are divided by horizontal rules; the first says what was wrong, one may say
    `Perhaps you meant:` with candidates of any subcommand, the last says how to get help. Where the terminal
    shows no lines of boxes, its title is a section too, and the rules are hyphens.

    Args:
        boxed: What tyro wrote to standard error.
        command: The subcommand, whose candidates and help are meant.

    Returns:
        At most two lines.

    Example:
        >>> print(short_message("╭─ Title ─╮\n│ No such option: --x │\n│ ─── │\n│ See prog --help │\n╰──╯"))
        gamedyn: error: No such option: --x
        See prog --help
    """
    sections: list[list[str]] = [[]]
    for line in boxed.splitlines():
        text = line.strip("│ \t")
        if not text or text[0] in "╭╰":
            continue
        if set(text) in ({"─"}, {"-"}):
            sections.append([])
        else:
            sections[-1].append(text)
    if len(sections) > 1 and "╭" not in boxed:
        del sections[0]
    # tyro names its wrapper around nested settings, and lists what each type of a union objected.
    problem = " ".join(text for text in sections[0] if not text.startswith("- <class"))
    problem = re.sub(r"__tyro-dummy-inner__\S*: ", "", problem).removeprefix("Error parsing ")
    problem = problem.removesuffix(" Got errors:")
    if " " in command and f" (applied to {command})" in problem:  # they stand where the user put them
        problem = problem.replace(f" (applied to {command})", "").split(" Arguments are applied")[0]
    hint = [" ".join(sections[-1]).replace(" gamedyn --help", f" {command} --help")] * (len(sections) > 1)
    for section in sections[1:-1]:
        if section[0].startswith("Perhaps you meant"):
            hint = [*(f"Perhaps you meant {one}." for one in candidates(section[1:], command)[:1]), *hint]
        elif section[0].startswith("Available subcommands"):
            hint = [f"{' '.join(section)}.", *hint]  # wrapped to the terminal's width
    return "\n".join(line for line in (f"gamedyn: error: {problem}", " ".join(hint)) if line)


def candidates(lines: Sequence[str], command: str) -> list[str]:
    """Choose among tyro's candidates those of a subcommand.

    Args:
        lines: A flag, what it is, and lines `in PROGRAM --help`; then the next.
        command: The subcommand.

    Returns:
        The flags that it has, and those that are not said to be of any.

    Example:
        >>> candidates(["--beta INT", "in x train --help", "--steps INT", "in x icr --help"], "x icr")
        ['--steps INT']
    """
    starts = [number for number, line in enumerate(lines) if line.startswith("--")]
    found = []
    for start, end in pairwise([*starts, len(lines)]):
        places = [line for line in lines[start:end] if line.startswith("in ") and line.endswith(" --help")]
        if not places or f"in {command} --help" in places:
            found.append(lines[start])
    return found
