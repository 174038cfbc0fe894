"""`gamedyn reproduce`: run a published experiment, and say whether its claim held.

The class holds the flags; everything heavy is imported when `run` is called.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from gamedyn.atomic import write_atomically
from gamedyn.experiments.arguments import Scale
from gamedyn.experiments.catalogue import Entry, read_catalogue
from gamedyn.experiments.page import page, read_records
from gamedyn.experiments.script import MISTAKE


@dataclass
class Reproduce:
    """Reproduce a figure of a paper: one script, one picture, and whether the claim held."""

    name: Annotated[str, tyro.conf.Positional] = ""
    """Which experiment; --list names them."""
    scale: Scale = "laptop"
    """Sizes: smoke (seconds), laptop (at most 20 minutes on two processors), paper (the source's own)."""
    out: Path | None = None
    """Folder of pictures, arrays and numbers; by default runs/reproduce-<scale>."""
    data_root: str | None = None
    """Folder of the data sets, for experiments on MNIST or text; by default GAMEDYN_DATA."""
    list: bool = False
    """Name the experiments, their documents and claims."""
    all: bool = False
    """Run every experiment that has no result in the folder yet, and write one page, gallery.md."""

    page: bool = False
    """Write the page of what is in the folder, and stop."""

    def run(self) -> None:
        """Run what was named.

        Raises:
            ValueError: If the name is unknown, none was given or more than that, the script failed, or there
                are no results for the page.
            SystemExit: If the script refused what it was given.
        """
        entries = read_catalogue()
        asked = {f"{self.name!r}": self.name, "--list": self.list, "--all": self.all, "--page": self.page}
        if len(tasks := [task for task, given in asked.items() if given]) > 1:
            raise ValueError(f"{' and '.join(tasks)} ask for different things: give one of them")
        if self.list:
            for entry in entries.values():
                print(
                    f"{entry.name:28s} {entry.header.get('document', '')}; {entry.header.get('figure', '')}"
                )
                print(f"{'':28s} {entry.header['claim']}")
            return
        folder = self.out or Path("runs", f"reproduce-{self.scale}")
        if self.page:
            self._write_page(entries, folder)
            return
        if self.all:
            self._run_all(entries, folder)
            return
        if self.name not in entries:
            problem = f"there is no experiment {self.name!r}" if self.name else "name an experiment, or --all"
            raise ValueError(f"{problem}; gamedyn reproduce --list names them")
        if (code := self._run_one(entries[self.name], folder)) == MISTAKE:
            raise SystemExit(code)  # which the script has put into words
        if code:
            raise ValueError(f"{self.name} ended with exit code {code}")

    def _run_all(self, entries: dict[str, Entry], folder: Path) -> None:
        done = read_records(folder, entries)
        failed = []
        for entry in entries.values():
            before = done.get(entry.name, {})
            if before.get("scale") == self.scale and not before.get("flags"):
                print(f"{entry.name}: done before")
            elif self._run_one(entry, folder):
                failed.append(entry.name)
        if len(failed) < len(entries):
            self._write_page(entries, folder)
        if failed:
            raise ValueError(f"these ended with an error: {', '.join(failed)}")

    def _write_page(self, entries: dict[str, Entry], folder: Path) -> None:
        target = folder / "gallery.md"
        if not (records := read_records(folder, entries)):
            raise ValueError(
                f"{folder} holds no results: run gamedyn reproduce --all, or name their folder with --out"
            )
        text = page(entries, records, folder, target)
        write_atomically(target, text.encode())
        print(f"page: {target}")

    def _run_one(self, entry: Entry, folder: Path) -> int:
        """Run a script in a process of its own, and return its exit code."""
        print(f"--- {entry.name}: {entry.title}", flush=True)
        command = [sys.executable, str(entry.path), "--scale", self.scale, "--out", str(folder)]
        where = {} if self.data_root is None else {"GAMEDYN_DATA": self.data_root}
        return subprocess.run(command, check=False, env={**os.environ, **where}).returncode
