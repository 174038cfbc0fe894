from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gamedyn.cli import main
from gamedyn.cli.messages import short_message

PNG = b"\x89PNG\r\n\x1a\n"


def run(capsys: pytest.CaptureFixture[str], *argv: object) -> tuple[int, str, str]:
    code = main([str(a) for a in argv])
    out, err = capsys.readouterr()
    return code, out, err


def written(out: str) -> list[Path]:
    return [Path(line.removeprefix("  wrote ")) for line in out.splitlines() if line.startswith("  wrote ")]


@pytest.mark.parametrize(
    ("argv", "claims"),
    [
        (["quadratic", "--steps", "100", "--ratios", "40"], 3),
        (["stability", "--cells", "60"], 1),
        (["bilinear", "--steps", "60"], 1),
    ],
)
def test_figures_are_drawn_and_their_claims_hold(
    argv: list[str], claims: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "icr", *argv, "--out", tmp_path / "pictures")
    assert (code, err) == (0, "")
    verdicts = [line for line in out.splitlines() if line.startswith("  claim: ")]
    assert len(verdicts) == claims
    assert all(line.endswith(": held") for line in verdicts)
    files = written(out)
    assert {f.suffix for f in files} == {".png", ".npz"}
    assert sorted(files) == sorted((tmp_path / "pictures").iterdir())
    for file in files:
        if file.suffix == ".png":
            assert file.read_bytes()[:8] == PNG
        else:
            with np.load(file, allow_pickle=False) as arrays:
                assert all(np.isfinite(arrays[name]).all() for name in arrays.files)


def test_same_arrays_same_bytes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("one", "two"):
        assert run(capsys, "icr", "bilinear", "--steps", "30", "--out", tmp_path / folder)[0] == 0
    for name in ("bilinear.png", "bilinear.npz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_stability_prints_the_agreement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "icr", "stability", "--cells", "40", "--out", tmp_path)[1]
    lines = [line for line in out.splitlines() if "of cells agree" in line]
    assert [line.split(":")[0].strip() for line in lines] == ["SimGD", "AltGD", "CGD"]
    assert all(float(line.split()[1].rstrip("%")) >= 99.0 for line in lines)


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ([], "icr"),
        (["icr"], "quadratic"),
        (["paint"], "paint"),
        (["icr", "cubic"], "cubic"),
        (["icr", "quadratic", "--stpes", "5"], "--stpes"),
        (["icr", "quadratic", "--steps", "many"], "--steps"),
        (["icr", "quadratic", "--steps"], "--steps"),
        (["icr", "quadratic", "--steps", "-3"], "--steps"),
        (["icr", "quadratic", "--ratios", "1"], "--ratios"),
        (["icr", "stability", "--cells", "0"], "--cells"),
        (["icr", "stability", "--steps", "1"], "--steps"),
        (["icr", "stability", "--low", "nan"], "--low"),
        (["icr", "stability", "--low", "1e-300"], "--low"),
        (["icr", "stability", "--high", "1e300"], "--high"),
        (["icr", "stability", "--low", "2", "--high", "1"], "--low"),
        (["icr", "bilinear", "--lr", "-0.1"], "--lr"),
        (["icr", "bilinear", "--lr", "nan"], "--lr"),
        (["icr", "bilinear", "--steps", "0"], "--steps"),
    ],
)
def test_a_mistake_costs_two_lines_and_exit_code_2(
    argv: list[str],
    named: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert err.startswith("gamedyn: error: ")
    assert len(err.splitlines()) <= 2
    assert named in err
    assert list(tmp_path.iterdir()) == []


def test_an_output_folder_that_is_a_file_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").write_text("mine")
    code, _, err = run(capsys, "icr", "bilinear", "--steps", "5", "--out", tmp_path / "taken")
    assert code == 2
    assert "taken" in err
    assert len(err.splitlines()) == 1
    assert (tmp_path / "taken").read_text() == "mine"


def test_help_is_instant_and_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from gamedyn.cli import main\n"
        "assert main(['--help']) == 0\n"
        "assert main(['icr', 'stability', '--help']) == 0\n"
        "heavy = {'torch', 'matplotlib', 'scipy', 'numpy'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "icr" in done.stdout
    assert "--cells" in done.stdout


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    from gamedyn import __version__

    assert run(capsys, "--version") == (0, f"gamedyn {__version__}\n", "")


def test_short_message_keeps_the_problem_and_the_suggestion() -> None:
    box = (
        "╭─ Unrecognized options ─────────╮\n"
        "│ Unrecognized options: --sze, 3 │\n"
        "│ ────────────────────────────── │\n"
        "│ Perhaps you meant:             │\n"
        "│     --size INT                 │\n"
        "│ ────────────────────────────── │\n"
        "│ For full helptext, run x --help │\n"
        "╰────────────────────────────────╯\n"
    )
    assert short_message(box).splitlines() == [
        "gamedyn: error: Unrecognized options: --sze, 3",
        "Perhaps you meant --size INT. For full helptext, run x --help",
    ]


@pytest.mark.parametrize(
    ("words", "wrong", "hint"),
    [
        ("icr bilinear --eta -1", "Unrecognized options: --eta, -1", "run gamedyn icr bilinear --help"),
        ("icr quadratic --lr nan", "options: --lr nan", "run gamedyn icr quadratic --help"),
        ("train --stepz 5", "options: --stepz, 5", "meant --steps {None}|INT. For full helptext, "),
        ("train --steps 0", "steps must be a whole number", "For full helptext, see gamedyn train --help"),
        ("study digits-long --sedes 1", "--sedes, 1", "meant --seeds {None}|{[INT [INT ...]]}. "),
        ("--steps 5 train", "(applied to gamedyn)", "run gamedyn --help"),
    ],
)
def test_a_hint_is_of_the_subcommand_that_was_meant(
    words: str, wrong: str, hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, error = run(capsys, *words.split())
    first, second = error.splitlines()
    assert code == 2
    assert wrong in first
    assert hint in second
    assert ("Perhaps" in second) == ("meant" in hint)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_a_subcommand_that_there_is_not_names_them_all_in_any_terminal(encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gamedyn", "trian"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding, "COLUMNS": "80"},
    )
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "gamedyn: error: Unrecognized options: trian",
        "Available subcommands: icr, train, presets, study, reproduce, sample, evaluate, report, demo. "
        "For full helptext, run gamedyn --help",
    ]
