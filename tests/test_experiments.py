"""The frame of experiments: findings, finished parts, the catalogue and the page."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from gamedyn.cli import main
from gamedyn.experiments import Experiment, Finding, Scale, read_catalogue
from gamedyn.experiments.experiment import fingerprint
from gamedyn.experiments.page import drawn_by, page, read_record, read_records
from gamedyn.provenance import commit, processor


@dataclass
class Args:
    """Flags of an experiment."""

    out: Path
    scale: Scale = "smoke"
    latent: int = 128
    data_root: str | None = None


@pytest.mark.parametrize(
    ("number", "relation", "held"),
    [(1.0, "<", False), (1.0, "<=", True), (1.0, ">", False), (1.0, ">=", True), (0.5, "<", True)],
)
def test_a_finding_holds_by_its_relation(number: float, relation: str, held: bool) -> None:
    assert Finding("x", number, relation, 1.0).held is held


@pytest.mark.parametrize("relation", ["<", "<=", ">", ">="])
@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_no_claim_holds_by_a_number_that_is_not_finite(number: float, relation: str) -> None:
    assert not Finding("x", number, relation, 1.0).held


def test_a_finished_part_is_not_done_again(tmp_path: Path) -> None:
    calls = []

    def work() -> dict[str, object]:
        calls.append(1)
        return {"value": [1.0, 2.0], "count": 3}

    for _ in range(2):
        with Experiment("own.py", Args(tmp_path)) as experiment:
            found = experiment.part("seed0", work)
            assert found["value"].tolist() == [1.0, 2.0]
            assert int(found["count"]) == 3
            experiment.find("x", 1.0, ">", 0.0)
    assert len(calls) == 1
    (part,) = (tmp_path / "parts").iterdir()
    part.write_bytes(b"PK torn")
    Experiment("own.py", Args(tmp_path)).part("seed0", work)
    assert len(calls) == 2
    Experiment("own.py", Args(tmp_path, "laptop")).part("seed0", work)  # another scale is another part
    assert len(calls) == 3


def test_a_part_of_other_flags_is_another_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def work() -> dict[str, object]:
        calls.append(1)
        return {"value": len(calls)}

    monkeypatch.delenv("GAMEDYN_DATA", raising=False)
    first = Args(tmp_path)
    other = [replace(first, latent=7), replace(first, data_root="a"), replace(first, data_root="b")]
    for _ in range(2):
        found = [int(Experiment("own.py", args).part("cgd", work)["value"]) for args in (first, *other)]
        assert found == [1, 2, 3, 4]
    monkeypatch.setenv("GAMEDYN_DATA", "b")  # as `gamedyn reproduce --data-root b` names it
    assert int(Experiment("own.py", first).part("cgd", work)["value"]) == 4
    monkeypatch.delenv("GAMEDYN_DATA")
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert int(Experiment("own.py", replace(other[0], out=moved)).part("cgd", work)["value"]) == 2


def test_a_part_of_another_version_of_the_script_is_done_again(tmp_path: Path) -> None:
    script = tmp_path / "own.py"
    calls = []

    def work() -> dict[str, object]:
        calls.append(1)
        return {"value": 1.0}

    for header, size, expected in (("a", 1, 1), ("b", 1, 1), ("b", 2, 2)):
        script.write_text(f'"""{header}"""\nSIZE = {size}  # {header}\n')
        Experiment(str(script), Args(tmp_path)).part("seed0", work)
        assert len(calls) == expected, header  # the header and comments are no part of the code


def test_every_python_finds_the_parts_of_another(tmp_path: Path) -> None:
    """They write out a syntax tree in different words: 3.12 and 3.13 each have their own."""
    script = tmp_path / "own.py"
    script.write_text('class A:\n    pass\n\n\ndef f(a, /, b=1, *c):\n    return f"{a}", g(), []\n')
    assert fingerprint(script).startswith("785ec4d17cf2")


def test_a_part_of_another_commit_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("first", "second"):
        monkeypatch.setattr("gamedyn.experiments.experiment.commit", lambda name=name: name)
        with Experiment("own.py", Args(tmp_path)) as experiment:
            experiment.part("seed0", lambda: {"value": 1.0})
            experiment.part(f"of {name}", lambda: {"value": 1.0})
    assert json.loads((tmp_path / "own.json").read_text())["commits"] == ["first", "second"]


def test_the_record_says_what_was_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Experiment("own.py", Args(tmp_path)) as experiment:
        experiment.keep(curve=[1.0, 2.0])
        experiment.find("gain", 3.0, ">", 2.0)
        experiment.find("loss", math.nan, "<", 2.0)
    record = json.loads((tmp_path / "own.json").read_text())
    assert not record["held"]
    assert (record["commits"], record["processor"]) == ([name for name in [commit()] if name], processor())
    assert [(f["number"], f["held"]) for f in record["findings"]] == [(3.0, True), (None, False)]
    assert np.load(tmp_path / "own.npz")["curve"].tolist() == [1.0, 2.0]
    assert capsys.readouterr().out.splitlines()[-1] == "claim: did not hold (smoke sizes decide nothing)"


def test_an_experiment_that_fails_or_finds_nothing_holds_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), Experiment("own.py", Args(tmp_path)):
        raise RuntimeError
    assert not (tmp_path / "own.json").exists()
    with Experiment("own.py", Args(tmp_path)):
        pass
    assert json.loads((tmp_path / "own.json").read_text())["held"] is False


SCRIPT = '''"""A small experiment.

Document  a paper
Figure    1
Claim     one is less
          than two
Command   gamedyn reproduce small
Time      1 s
"""

import sys
from dataclasses import dataclass
from pathlib import Path

from gamedyn.experiments import Experiment, Scale


@dataclass
class Args:
    out: Path
    scale: Scale


with Experiment(__file__, Args(Path(sys.argv[4]), sys.argv[2])) as experiment:
    experiment.find("one", 1.0, "<", 2.0)
'''


def test_the_catalogue_reads_headers_and_the_page_lists_everything(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(SCRIPT)
    (tmp_path / "other.py").write_text(SCRIPT.replace("import Experiment", "import Finding"))  # no experiment
    entries = read_catalogue(tmp_path)
    assert list(entries) == ["small"]
    assert entries["small"].header["claim"] == "one is less than two"
    text = page(entries, read_records(tmp_path, entries), tmp_path, tmp_path / "gallery.md")
    assert "| small | a paper | not run | – | – |" in text


def test_reproduce_runs_what_is_missing_and_writes_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.py").write_text(SCRIPT)
    monkeypatch.setattr("gamedyn.experiments.catalogue.PLACES", (tmp_path,))
    out = tmp_path / "out"
    assert main(["reproduce", "--all", "--scale", "smoke", "--out", str(out)]) == 0
    assert "claim: held" in capfd.readouterr().out
    text = (out / "gallery.md").read_text()
    assert "| 1 of 1 | one: 1 (needs < 2) |" in text
    assert main(["reproduce", "--all", "--scale", "smoke", "--out", str(out)]) == 0
    assert "small: done before" in capfd.readouterr().out
    assert drawn_by(json.loads((out / "small.json").read_text())) in text
    record = json.loads((out / "small.json").read_text())
    (out / "small.json").write_text(json.dumps({**record, "flags": ["--latent", "7"]}))
    assert main(["reproduce", "--page", "--out", str(out)]) == 0
    assert "`python examples/small.py --scale smoke --latent 7`" in (out / "gallery.md").read_text()
    capfd.readouterr()
    assert main(["reproduce", "--all", "--scale", "smoke", "--out", str(out)]) == 0
    assert "done before" not in capfd.readouterr().out  # those flags were not asked for
    (out / "gallery.md").unlink()
    assert main(["reproduce", "--page", "--out", str(out)]) == 0
    assert (out / "gallery.md").read_text() == text
    assert main(["reproduce", "--page", "--out", str(tmp_path / "nowhere")]) == 2
    assert f"{tmp_path / 'nowhere'} holds no results" in capfd.readouterr().err
    assert main(["reproduce", "large"]) == 2
    assert "there is no experiment 'large'" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["bilinear_orbits", "--all"], "'bilinear_orbits' and --all"),
        (["--all", "--page"], "--all and --page"),
        (["bilinear_orbits", "--list"], "'bilinear_orbits' and --list"),
    ],
)
def test_two_tasks_at_once_are_refused(
    flags: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", *flags, "--scale", "smoke", "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{words} ask for different things" in line
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("numbers", "cells"),
    [
        ((1.9, 0.1, 1.0), "| 3 of 3 | 0: 1.9 (needs < 2) |"),
        ((1.9, 2.5, 9.0), "| **1 of 3** | 2: 9 (needs < 2) |"),
        ((1.9, math.nan, 9.0), "| **1 of 3** | 1: not finite (needs < 2) |"),
    ],
)
def test_the_table_counts_criteria_and_names_the_worst(
    numbers: tuple[float, ...], cells: str, tmp_path: Path
) -> None:
    (tmp_path / "small.py").write_text(SCRIPT)
    with Experiment("small.py", Args(tmp_path)) as experiment:
        for place, number in enumerate(numbers):
            experiment.find(str(place), number, "<", 2.0)
    entries = read_catalogue(tmp_path)
    assert cells in page(entries, read_records(tmp_path, entries), tmp_path, tmp_path / "gallery.md")


@pytest.mark.parametrize("content", [b"{}", b"[]", b'{"name": ', b"\xff\xfe", b"3"])
def test_a_record_that_is_none_is_named(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Experiment("bilinear_orbits.py", Args(tmp_path)) as experiment:
        experiment.find("one", 1.0, "<", 2.0)
    path = tmp_path / "bilinear_orbits.json"
    whole = json.loads(path.read_text())
    assert read_record(path) == whole
    for wrong in (content, json.dumps({**whole, "findings": [{}]}).encode()):
        path.write_bytes(wrong)
        capsys.readouterr()
        assert main(["reproduce", "--page", "--out", str(tmp_path)]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert str(path) in line
        assert "delete it" in line


def test_a_script_that_refuses_its_data_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.py").write_text(f"""{SCRIPT[: SCRIPT.index("import sys")]}
from dataclasses import dataclass
from pathlib import Path

from gamedyn.experiments import Experiment, Scale, run_script

@dataclass
class Args:
    scale: Scale = "laptop"
    out: Path = Path("results")

run_script(lambda args: Path(args.out, "absent").read_text(), Args)
""")
    monkeypatch.setattr("gamedyn.experiments.catalogue.PLACES", (tmp_path,))
    assert main(["reproduce", "small", "--out", str(tmp_path / "out")]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("small: error: ")
    assert "absent" in line


@pytest.mark.parametrize(
    ("commits", "words"),
    [
        (["0123456789abc"], "commit 0123456, "),
        (["01234567+changes", "abcdefgh"], "commits 0123456+changes and abcdefg, "),
        ([], ""),
    ],
)
def test_the_page_names_the_commits_where_they_are_known(commits: list[str], words: str) -> None:
    assert drawn_by({"commits": commits}) == words
    assert drawn_by({}) == ""
