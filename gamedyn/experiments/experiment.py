"""One run of an experiment's script: its finished parts, what it found, and the files that it leaves."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import math
import os
import sys
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import gamedyn
from gamedyn.atomic import write_atomically
from gamedyn.experiments.arguments import Arguments, flags, variant
from gamedyn.provenance import commit, processor

if TYPE_CHECKING:
    from numpy.typing import NDArray

Relation = Literal["<", "<=", ">", ">="]
Arrays = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """A number that was measured, beside the bound that it must meet for the claim to hold.

    Args:
        what: The number in words, with its unit.
        number: The number; one that is not finite meets no bound.
        relation: How it must stand to the bound.
        bound: The bound.

    Example:
        >>> Finding("spectral radius in play", 0.96, "<", 1.0).held
        True
    """

    what: str
    number: float
    relation: Relation
    bound: float

    @property
    def held(self) -> bool:
        """Whether the number meets the bound."""
        if not math.isfinite(self.number):
            return False
        return {
            "<": self.number < self.bound,
            "<=": self.number <= self.bound,
            ">": self.number > self.bound,
            ">=": self.number >= self.bound,
        }[self.relation]

    def __str__(self) -> str:
        verdict = "held" if self.held else "did not hold"
        return f"{self.what}: {self.number:.4g}, needs {self.relation} {self.bound:.4g}: {verdict}"


class Experiment:
    """The frame of an experiment's script.

    Inside the block the script does its work in parts, draws, and states what it found. At the end of the
    block the verdict is printed as the last line, and all is written beside the pictures: NAME.json and, for
    what `keep` was given, NAME.npz. A script that is stopped loses the part that it was at.

    Args:
        script: The script's `__file__`; its name is the experiment's.
        args: The dataclass of its flags, with `scale` and with `out`, the folder of the results.

    Attributes:
        variant: A word that tells these flags from others, see `arguments.variant`.

    Example:
        >>> import tempfile
        >>> @dataclass
        ... class Args:
        ...     out: Path
        ...     scale: Scale = "smoke"
        >>> with Experiment("xy.py", Args(Path(tempfile.mkdtemp()))) as experiment:
        ...     run = experiment.part("cgd", lambda: {"radius": [1.0, 0.5]})
        ...     experiment.find("radius at the end", run["radius"][-1], "<", 1.0)
        radius at the end: 0.5, needs < 1: held
        claim: held (smoke sizes decide nothing)
    """

    def __init__(self, script: str, args: Arguments) -> None:
        self.name = Path(script).stem
        self.scale, self.folder = args.scale, args.out
        self.flags, self.variant = flags(args), variant(args)
        self.findings: list[Finding] = []
        self.pictures: list[Path] = []
        self._arrays: dict[str, Any] = {}
        self._code = fingerprint(Path(script))
        self._commits: set[str] = set()
        self._before = self._cpu_before = 0.0  # seconds of parts that an earlier start finished
        self._start, self._cpu_start = time.perf_counter(), time.process_time()
        self.folder.mkdir(parents=True, exist_ok=True)

    def part(self, key: str, work: Callable[[], Arrays]) -> dict[str, NDArray[Any]]:
        """Do a part of the work, or read what it gave when an earlier start finished it.

        A part that other flags left is another part; one that another version of the script left is done
        again; one that another commit of the library left counts, and the record names that commit too.

        Args:
            key: The part in one word that tells it from the other parts of this start.
            work: Gives the part's results as arrays.

        Returns:
            The arrays.

        Raises:
            OSError: If they cannot be written.
        """
        import numpy as np  # here, so that --help is instant

        path = self.folder / "parts" / f"{self.name}-{self.scale}-{self.variant}-{key}.npz"
        if path.exists():
            try:
                with np.load(path, allow_pickle=False) as found:
                    arrays = {name: found[name] for name in found.files}
                spent, cpu_spent = (float(arrays.pop(name)) for name in ("seconds", "cpu_seconds"))
                code, by = (str(arrays.pop(name)) for name in ("code", "commit"))
            except (ValueError, KeyError, zipfile.BadZipFile):
                path.unlink()  # damaged: do it again
            else:
                if code == self._code:
                    self._before += spent
                    self._cpu_before += cpu_spent
                    self._commits.add(by)
                    return arrays
        start, cpu_start = time.perf_counter(), time.process_time()
        arrays = {name: np.asarray(value) for name, value in work().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {"seconds": time.perf_counter() - start, "cpu_seconds": time.process_time() - cpu_start}
        write_arrays(path, {**arrays, **about, "code": self._code, "commit": commit() or ""})
        return arrays

    def keep(self, **arrays: Any) -> None:
        """Name arrays behind the pictures, so that they can be drawn again.

        Args:
            arrays: Array-like values by name.
        """
        self._arrays.update(arrays)

    def drawn(self, picture: Path) -> None:
        """Note a picture that was written.

        Args:
            picture: Its path.
        """
        self.pictures.append(picture)
        print("wrote", picture)

    def find(self, what: str, number: float, relation: Relation, bound: float) -> None:
        """State a number and the bound that decides, and print them.

        Args:
            what: The number in words, with its unit.
            number: The number.
            relation: How it must stand to the bound for the claim to hold.
            bound: The bound.
        """
        finding = Finding(what, float(number), relation, float(bound))
        self.findings.append(finding)
        print(finding)

    def __enter__(self) -> Experiment:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            return
        if self._arrays:
            write_arrays(self.folder / f"{self.name}.npz", self._arrays)
        held = bool(self.findings) and all(finding.held for finding in self.findings)
        record = {
            "name": self.name,
            "scale": self.scale,
            "flags": self.flags,
            "held": held,
            "findings": [
                {**asdict(finding), "number": repr_of(finding.number), "held": finding.held}
                for finding in self.findings
            ],
            "pictures": [picture.name for picture in self.pictures],
            "seconds": round(self._before + time.perf_counter() - self._start, 1),
            "cpu_seconds": round(self._cpu_before + time.process_time() - self._cpu_start, 1),
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "gamedyn": gamedyn.__version__,
            "commits": sorted(filter(None, {*self._commits, commit() or ""})),
            "processor": processor(),
            "processors": os.cpu_count(),
        }
        text = json.dumps(record, indent=1) + "\n"
        write_atomically(self.folder / f"{self.name}.json", text.encode())
        if self.findings:
            small = " (smoke sizes decide nothing)" if self.scale == "smoke" else ""
            print(f"claim: {'held' if held else 'did not hold'}{small}")


def fingerprint(script: Path) -> str:
    """Tell versions of a script apart, but not by its comments, layout or header.

    Args:
        script: The file.

    Returns:
        A hash of its code; nothing for a script that is not in a file.
    """
    if not script.is_file():
        return ""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    body = tree.body[1:] if ast.get_docstring(tree, clean=False) is not None else tree.body
    code = "\n".join(map(dumped, body))
    return hashlib.sha256(code.encode()).hexdigest()


def dumped(statement: ast.stmt) -> str:
    """Write out a statement in the same words whatever Python reads it.

    Args:
        statement: The statement.

    Returns:
        Its tree as Python 3.11 writes it: 3.12 knows parameters of types, 3.13 leaves empty lists out.
    """
    if sys.version_info >= (3, 13):
        return ast.dump(statement, show_empty=True).replace(", type_params=[]", "")
    return ast.dump(statement).replace(", type_params=[]", "")


def write_arrays(path: Path, arrays: Arrays) -> None:
    """Write arrays into one file that is whole or not there.

    Args:
        path: The file.
        arrays: Array-like values by name.

    Raises:
        OSError: If it cannot be written.
    """
    import numpy as np

    buffer = io.BytesIO()
    found: dict[str, Any] = {name: np.asarray(value) for name, value in arrays.items()}
    np.savez_compressed(buffer, **found)
    write_atomically(path, buffer.getvalue())


def repr_of(number: float) -> float | None:
    """Give a number as JSON has it.

    Args:
        number: Any number.

    Returns:
        The number; `None` for one that is not finite.
    """
    return number if math.isfinite(number) else None
