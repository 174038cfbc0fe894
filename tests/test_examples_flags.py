"""The flags of the examples: every number has bounds, and what breaks them is refused in a line."""

from __future__ import annotations

import sys
from typing import get_args, get_type_hints

import pytest
from example_scripts import EXAMPLES, script

from gamedyn.experiments import run_script
from gamedyn.experiments.bounds import checks_of

NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py") if path.stem != "quickstart")


def numbers(kind: object) -> bool:
    return kind in {int, float} or any(map(numbers, get_args(kind)))


@pytest.mark.parametrize("name", NAMES)
def test_every_number_and_device_has_bounds(name: str) -> None:
    for flag, kind in get_type_hints(script(name).Args, include_extras=True).items():
        assert checks_of(kind) or not (numbers(kind) or flag == "device"), flag


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("bilinear_orbits --alphas", "--alphas needs at least one value"),
        ("bilinear_orbits --alphas 1 -2", "--alphas must be above 0, got -2.0"),
        ("bilinear_orbits --steps 0", "--steps must be at least 1, got 0"),
        ("cifar10_acgd --scale smoke --checks 0", "--checks must be at least 1, got 0"),
        ("cifar10_acgd --scale smoke --latent -1", "--latent must be at least 1, got -1"),
        ("cifar10_acgd --seed 4294967296", "--seed must be at most 4294967295, got 4294967296"),
        ("dirac_gan --steps 0", "--steps must be at least 1, got 0"),
        ("divergences --points 1", "--points must be at least 2, got 1"),
        ("icr_quadratic --steps -3", "--steps must be at least 1, got -3"),
        ("principled_cauchy_updates --noise nan", "--noise must be finite, got nan"),
        ("wgan_gp_characters --lr 0", "--lr must be above 0, got 0.0"),
        ("wgan_gp_convergence --scale paper", "name what the images are judged by: --extractor"),
        ("wgan_gp_random_architectures --device gpu", "--device: device must be cpu, cuda or mps"),
        ("wgan_gp_random_architectures --device cuda:99", "--device: device 'cuda:99' cannot be used"),
        ("xy_learning_rates --rates", "--rates needs at least one value"),
    ],
)
def test_nonsense_is_refused_in_a_line(
    words: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *flags = words.split()
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *flags])
    with pytest.raises(SystemExit) as stop:
        run_script(script(name).main, script(name).Args)
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"{name}: error: ")
    assert message in line


@pytest.mark.parametrize(
    "words", ["xy_learning_rates --rates 0.1", "dirac_gan --steps 1", "bilinear_orbits --alphas 3 1"]
)
def test_odd_flags_that_make_sense_work(words: str, tmp_path, monkeypatch, capsys) -> None:
    name, *flags = words.split()
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *flags, "--out", str(tmp_path)])
    run_script(script(name).main, script(name).Args)
    assert "claim: " in capsys.readouterr().out.splitlines()[-1]
