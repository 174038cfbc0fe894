"""One page in Markdown of what the experiments found."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gamedyn.experiments.catalogue import Entry

Record = Mapping[str, Any]
KEYS = frozenset({"scale", "held", "findings", "pictures", "seconds", "date", "processors"})
FOUND = frozenset({"what", "number", "relation", "bound", "held"})
"""What a record, and a finding in it, must have."""
UNITS = ((3600.0, "h"), (60.0, "min"))


def read_records(folder: Path, entries: Mapping[str, Entry]) -> dict[str, Record]:
    """Read what finished experiments left.

    Args:
        folder: Their folder.
        entries: The experiments to look for.

    Returns:
        Records by name, those that are there.

    Raises:
        ValueError: If a file of such a name holds something else.
    """
    paths = {name: folder / f"{name}.json" for name in entries}
    return {name: read_record(path) for name, path in paths.items() if path.exists()}


def read_record(path: Path) -> Record:
    """Read what a finished experiment left.

    Args:
        path: The file.

    Returns:
        The record.

    Raises:
        ValueError: If the file holds something else; the message names it.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # of the JSON or of the decoding
        raise ValueError(f"{path} is damaged ({error}): delete it and run {path.stem} again") from error
    whole = isinstance(record, Mapping) and record.keys() >= KEYS
    if not (whole and all(isinstance(one, Mapping) and one.keys() >= FOUND for one in record["findings"])):
        raise ValueError(f"{path} is no record of an experiment: delete it and run {path.stem} again")
    return dict(record)


def page(entries: Mapping[str, Entry], records: Mapping[str, Record], folder: Path, target: Path) -> str:
    """Write the page: a table of all, then each experiment with its pictures.

    Args:
        entries: The experiments.
        records: What the finished ones found.
        folder: Where their pictures are.
        target: Where the page will lie, for its links.

    Returns:
        The page's text.
    """
    lines = [
        "# Gallery",
        "",
        "Every experiment: what its source claims, the numbers that decide, and the picture. A claim holds",
        "where all of its criteria do; the worst is the one that fails by most, or holds by least.",
        "",
        "`gamedyn reproduce --all` runs them all and writes this page; the command of each stands below its",
        "numbers.",
        "",
        "| experiment | document | criteria that held | the worst of them | processor time |",
        "|---|---|---|---|---|",
    ]
    for name, entry in entries.items():
        where = titles(entry.header.get("document", ""))
        record = records.get(name)
        if record is None:
            lines.append(f"| {name} | {where} | not run | – | – |")
            continue
        findings = record["findings"]
        held = f"{sum(found['held'] for found in findings)} of {len(findings)}"
        worst = criterion(min(findings, key=margin)).replace("|", "\\|") if findings else "–"
        verdict = held if record["held"] else f"**{held}**"
        link, time = f"[{name}](#{anchor(entries[name].title)})", spent(processor_time(record))
        lines.append(f"| {link} | {where} | {verdict} | {worst} | {time} |")
    for name, record in records.items():
        entry = entries[name]
        lines += [
            "",
            f"## {entry.title}",
            "",
            f"{entry.header['document']}. Figure: {entry.header.get('figure', 'none')}.",
            "",
            f"*Claim.* {entry.header['claim']}",
            "",
        ]
        lines += [
            f"- {criterion(found)}: {'held' if found['held'] else 'did not hold'}"
            for found in record["findings"]
        ]
        lines += [
            "",
            f"`{command(name, record)}`, {record['date']}, {drawn_by(record)}"
            f"{record['processors']} processors, {spent(processor_time(record))}",
        ]
        if "result" in entry.header:
            lines += ["", f"*On record in the script.* {entry.header['result']}"]
        if "note" in entry.header:
            lines += ["", f"*Note.* {entry.header['note']}"]
        for picture in record["pictures"]:
            link = Path(os.path.relpath(folder / picture, target.parent)).as_posix()
            lines += ["", f"![{entry.title}]({link})"]
    return "\n".join(lines) + "\n"


def anchor(heading: str) -> str:
    """Return the name by which GitHub and MyST link to a heading.

    Example:
        >>> anchor("ICR on MNIST: alone, the discriminator overtrains.")
        'icr-on-mnist-alone-the-discriminator-overtrains'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def titles(document: str) -> str:
    """Shorten a document to the titles in it.

    Args:
        document: Authors, titles in quotes, where and when.

    Returns:
        The titles alone; the whole text where there are none.

    Example:
        >>> titles('I. Goodfellow et al., "Generative Adversarial Nets", 2014')
        'Generative Adversarial Nets'
    """
    return "; ".join(re.findall(r'"([^"]+)"', document)) or document


def command(name: str, record: Record) -> str:
    """Write the command that an experiment was done by.

    Args:
        name: The experiment.
        record: What it left.

    Returns:
        That of gamedyn; of the script itself where flags of its own were given.

    Example:
        >>> command("dirac_gan", {"scale": "laptop"})
        'gamedyn reproduce dirac_gan --scale laptop'
        >>> command("dirac_gan", {"scale": "laptop", "flags": ["--r1", "1.0"]})
        'python examples/dirac_gan.py --scale laptop --r1 1.0'
    """
    own = record.get("flags", [])
    start = f"python examples/{name}.py" if own else f"gamedyn reproduce {name}"
    return " ".join([start, "--scale", record["scale"], *own])


def processor_time(record: Record) -> float:
    """Give the seconds of processor time that an experiment took.

    Args:
        record: What it left.

    Returns:
        The seconds; those of the clock for a record that has no others.
    """
    return float(record.get("cpu_seconds", record["seconds"]))


def drawn_by(record: Record) -> str:
    """Name the commits that an experiment was done by: one, unless it was continued by another.

    Args:
        record: What it left.

    Returns:
        The commits and a comma; nothing for a record that does not know any.
    """
    commits = [f"{one[:7]}{'+changes' * one.endswith('+changes')}" for one in record.get("commits", ())]
    return f"commit{'s' * (len(commits) > 1)} {' and '.join(commits)}, " if commits else ""


def margin(finding: Mapping[str, Any]) -> float:
    """Say by how much a number meets its bound.

    Args:
        finding: One of a record's findings.

    Returns:
        The distance over the larger of the two, negative where the bound is missed; -∞ for a number that is
        not finite.

    Example:
        >>> margin({"number": 0.9, "bound": 1.0, "relation": "<", "held": True})
        0.09999999999999998
    """
    number, bound = finding["number"], finding["bound"]
    if number is None:
        return -math.inf
    distance = abs(number - bound) / (max(abs(number), abs(bound)) or 1.0)
    return float(distance if finding["held"] else -distance)


def criterion(finding: Mapping[str, Any]) -> str:
    """Write a finding's number and its bound.

    Args:
        finding: One of a record's findings.

    Returns:
        For instance `radius: 0.962 (needs < 1)`.
    """
    number = "not finite" if finding["number"] is None else f"{finding['number']:.4g}"
    return f"{finding['what']}: {number} (needs {finding['relation']} {finding['bound']:.4g})"


def spent(seconds: float) -> str:
    """Write a time.

    Args:
        seconds: The time.

    Returns:
        It in the largest unit that fits.

    Example:
        >>> spent(90.0), spent(4.2)
        ('1.5 min', '4 s')
    """
    for size, unit in UNITS:
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
