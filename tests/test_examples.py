"""Every example runs as a subprocess, small, and leaves the pictures it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"

# Example: the arguments that make it tiny. A new example joins by a row here.
TINY: dict[str, list[str]] = {
    "bilinear_orbits.py": ["--steps", "8", "--alphas", "1", "3"],
    "cifar10_acgd.py": ["--scale", "smoke", "--data-root", "absent"],
    "dirac_gan.py": ["--steps", "20", "--loss", "nonsaturating"],
    "divergences.py": ["--scale", "smoke"],
    "gaussian_mixture.py": ["--scale", "smoke"],
    "icr_mnist.py": ["--scale", "smoke"],
    "icr_projection.py": ["--scale", "smoke"],
    "icr_quadratic.py": ["--steps", "30"],
    "icr_step_sizes.py": ["--scale", "smoke"],
    "mode_collapse.py": ["--scale", "smoke"],
    "principled_cauchy_updates.py": ["--scale", "smoke"],
    "principled_discriminator.py": ["--scale", "smoke"],
    "principled_instance_noise.py": ["--scale", "smoke"],
    "principled_wasserstein_bound.py": ["--scale", "smoke"],
    "quickstart.py": [],
    "xy_learning_rates.py": ["--steps", "40"],
    "stabilised_clipping.py": ["--scale", "smoke"],
    "wgan_gp_characters.py": ["--scale", "smoke"],
    "wgan_gp_convergence.py": ["--scale", "smoke"],
    "wgan_gp_gradient_norms.py": ["--scale", "smoke"],
    "wgan_gp_one_sided.py": ["--scale", "smoke"],
    "wgan_gp_overfitting.py": ["--scale", "smoke"],
    "wgan_gp_random_architectures.py": ["--scale", "smoke"],
    "wgan_gp_surfaces.py": ["--scale", "smoke"],
    "wgan_gp_varied_architectures.py": ["--scale", "smoke"],
}
SMALL = " (smoke sizes decide nothing)"
# Examples that decide a claim print it and its verdict; at full size only the verdict is a result.
WITH_CLAIM = sorted(set(TINY) - {"quickstart.py"})
VERDICTS = {f"claim: {held}{small}" for held in ("held", "did not hold") for small in ("", SMALL)}
HEADER = ("Document", "Figure", "Claim", "Command", "Time", "Result")


def run(example: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(EXAMPLES / example), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_every_example_has_a_row() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(TINY)


@pytest.mark.parametrize("example", sorted(TINY))
def test_example_runs_small(example: str, tmp_path: Path) -> None:
    where = ["--out", tmp_path] if example in WITH_CLAIM else []
    done = run(example, *TINY[example], *where)
    assert done.returncode == 0, done.stderr
    if example in WITH_CLAIM:
        verdict = done.stdout.splitlines()[-1]
        assert verdict in VERDICTS
        assert verdict.endswith(SMALL) == ("smoke" in TINY[example])
        pictures = [
            line.removeprefix("wrote ") for line in done.stdout.splitlines() if line.startswith("wrote ")
        ]
        assert pictures
        assert sorted(pictures) == sorted(str(path) for path in tmp_path.glob("*.png"))


def test_quickstart_is_the_readmes_snippet_and_learns_the_circle() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text(encoding="utf-8")
    source = (EXAMPLES / "quickstart.py").read_text(encoding="utf-8").split('"""\n\n', 1)[1]
    lines = [line.split("  # noqa")[0] for line in source.splitlines() if line and "Argument" not in line]
    assert all(line in readme for line in lines)
    radius = float(run("quickstart.py").stdout.split("samples: ")[1].split()[0])
    assert abs(radius - 1.0) < 0.1


@pytest.mark.parametrize("example", ["quickstart.py", "dirac_gan.py"])
def test_help_says_what_the_script_claims_and_runs_nothing(example: str) -> None:
    shown = run(example, "--help")
    assert shown.returncode == 0
    assert "Claim" in shown.stdout
    assert "samples: " not in shown.stdout
    refused = run(example, "--stepz", 1)
    assert refused.returncode == 2
    assert "--stepz" in refused.stderr


@pytest.mark.parametrize("example", WITH_CLAIM)
def test_header_states_everything_from_the_document_to_the_result(example: str) -> None:
    header = (EXAMPLES / example).read_text(encoding="utf-8").split('"""')[1]
    assert [line.split()[0] for line in header.splitlines() if line.startswith(HEADER)] == list(HEADER)
    assert f"python examples/{example}" in header


@pytest.mark.parametrize("example", ["bilinear_orbits.py", "icr_quadratic.py", "dirac_gan.py"])
def test_quick_claims_hold_at_full_size(example: str, tmp_path: Path) -> None:
    done = run(example, "--out", tmp_path)
    assert done.stdout.splitlines()[-1] == "claim: held", done.stdout + done.stderr
