"""The experiments' scripts, and what their headers say."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

PLACES = (Path(__file__).parents[1] / "examples", Path(__file__).parents[2] / "examples")
"""Where the scripts lie in an installed package, and in a checkout."""
FIELD = re.compile(r"^([A-Z][a-z]+) {2,}(\S.*)$")


@dataclass(frozen=True)
class Entry:
    """An experiment's script.

    Args:
        name: Its name without `.py`.
        path: The file.
        title: The first line of its header.
        header: What the header says of document, figure, claim, command, time and result, by these words in
            lower case.
    """

    name: str
    path: Path
    title: str
    header: dict[str, str]


def read_catalogue(folder: Path | None = None) -> dict[str, Entry]:
    """List the experiments; reading them runs none of their code.

    Args:
        folder: Where to look; by default the examples that came with gamedyn.

    Returns:
        Entries by name, in alphabetical order.

    Raises:
        FileNotFoundError: If the examples did not come with this installation.
    """
    places = PLACES if folder is None else (folder,)
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise FileNotFoundError(f"the examples are not in {places[0]}: install gamedyn from its checkout")
    entries = (read_entry(path) for path in sorted(found.glob("*.py")))
    return {entry.name: entry for entry in entries if entry is not None}


def read_entry(path: Path) -> Entry | None:
    """Read a script's header.

    Args:
        path: The script.

    Returns:
        The entry; `None` for a script that is no experiment.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    title, header = read_header(ast.get_docstring(tree) or "")
    framed = any(
        isinstance(node, ast.ImportFrom)
        and node.module == "gamedyn.experiments"
        and any(alias.name == "Experiment" for alias in node.names)
        for node in tree.body
    )
    return Entry(path.stem, path, title, header) if framed and "claim" in header else None


def read_header(text: str) -> tuple[str, dict[str, str]]:
    r"""Read the docstring that a script begins with.

    Args:
        text: The docstring.

    Returns:
        Its first line, and what it says by the words in front, in lower case.

    Example:
        >>> read_header("A title.\n\nClaim     one is less\n          than two\n\nMore.")
        ('A title.', {'claim': 'one is less than two'})
    """
    lines = text.splitlines()
    header: dict[str, str] = {}
    key = ""
    for line in lines[1:]:
        if match := FIELD.match(line):
            key = match[1].lower()
            header[key] = match[2]
        elif key and line.startswith(" "):
            header[key] += f" {line.strip()}"
        else:
            key = ""
    return lines[0] if lines else "", header
