from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from gamedyn.plotting.bounds import bounds_and_noise
from gamedyn.plotting.curves import paired_scores, panels_of_curves
from gamedyn.plotting.divergences import Densities, Rates, divergences_apart
from gamedyn.plotting.grids import grids_of_samples
from gamedyn.plotting.layers import layer_profiles, profiles_side_by_side
from gamedyn.plotting.lines import scores_and_lines
from gamedyn.plotting.mixture import modes_over_time, samples_over_time
from gamedyn.plotting.orbits import orbits_and_distances
from gamedyn.plotting.planar import phase_planes, slow_player, with_and_without_answer
from gamedyn.plotting.probes import Panel, curves_over_iterations
from gamedyn.plotting.stability import stability_maps
from gamedyn.plotting.style import COLOURS, add_caption, new_figure, save, styled
from gamedyn.plotting.surfaces import value_surfaces
from gamedyn.plotting.tails import tails_and_averages

PLOTTING = Path(__file__).resolve().parents[1] / "gamedyn" / "plotting"


def spiral(factor: float, steps: int = 40) -> tuple[np.ndarray, np.ndarray]:
    k = np.arange(steps + 1)
    return factor**k * np.cos(0.3 * k), factor**k * np.sin(0.3 * k)


def figures() -> dict[str, Figure]:
    rng = np.random.default_rng(0)
    ratio = np.geomspace(0.1, 10, 30)
    curves = dict.fromkeys(("SimGD", "CGD"), 0.9 + 0.1 * ratio)
    few = {name: values[::5] for name, values in curves.items()}
    eta = np.geomspace(0.1, 1, 12)
    mask = {"SimGD": eta[:, None] < eta[None, :]}
    steps = np.arange(5) * 10
    runs = {name: rng.uniform(0, 8, (3, 5)) for name in ("Adam", "ACGD")}
    profile = {"c = 0.1": np.array([-np.inf, -2.0, -1.0]), "penalty": -np.ones(3)}
    histogram = (np.arange(4), np.linspace(-1, 1, 5))
    points = [rng.normal(size=(20, 2))] * 2
    return {
        "two panels": with_and_without_answer(
            spiral(0.95), (np.ones(41), 1.1 ** np.arange(41)), lr=(0.09, 0.01)
        ),
        "planes": phase_planes([spiral(0.9), spiral(1.3)], ["in", "out"], reach=2.0, caption="x"),
        "slow": slow_player(ratio, curves, ratio[::5], few, 1 + 0.1 * ratio, mean_lr=0.03),
        "map": stability_maps(eta, eta, mask, {"SimGD": ~mask["SimGD"]}, {"SimGD": [eta]}, boundary_lr=eta),
        "orbits": orbits_and_distances(
            {"CGD": spiral(0.9)},
            {"CGD": np.hypot(*spiral(0.9))},
            {"CGD": 0.9 ** np.arange(41)},
            reach=1.5,
            title="t",
        ),
        "divergences": divergences_apart(
            (Densities("a", eta, {"p": eta}, {"p log p": eta}), Densities("b", eta, {"p": eta}, {})),
            eta,
            (Rates("c", "nats", 1e-2, {"KL": eta}), Rates("d", "nats", 1e-2, {"KL": eta, "JS": eta**2})),
        ),
        "bounds": bounds_and_noise(
            eta, {"noise": 2 * eta}, eta, {"pair": 2 * eta}, {"shifted": (eta, 2 * eta)}
        ),
        "probes": curves_over_iterations(
            steps,
            [Panel("cost", "nats", {"young": steps + 1, "old": steps + 2}, xscale="symlog")],
            runs="age",
        ),
        "tails": tails_and_averages(
            eta - 0.5, {"a": eta, "b": eta}, eta, {"a": eta, "b": 0 * eta}, eta, {"a": eta, "b": eta}, law="x"
        ),
        "snapshots": samples_over_time(
            steps[:2], {"k = 0": rng.normal(size=(2, 9, 2)), "CGD": rng.normal(size=(2, 9, 2))}, np.eye(2)
        ),
        "modes": modes_over_time(
            steps,
            runs,
            {k: v / 8 for k, v in runs.items()},
            {k: rng.normal(size=(50, 2)) for k in runs},
            np.eye(2),
        ),
        "layers": layer_profiles(profile, {"penalty": histogram}, caption="x"),
        "layers twice": profiles_side_by_side(
            {"a": profile, "b": profile}, {"a": ([0.1, 1.0], [-1.0, 1.0]), "b": ([0.1], [0.0])}, bound="c"
        ),
        "curves": panels_of_curves(
            {"a": {"one": (steps, steps), "two": (steps, 2 * steps)}, "b": {"two": (steps, steps)}},
            xlabel="x",
            ylabel={"a": "y", "b": "z"},
            levels={"a": ("level", 3.0)},
        ),
        "pairs": paired_scores(
            {"a": ([1.0, 2.0], [2.0, np.nan])}, xlabel="x", ylabel="y", level=1.5, caption="x"
        ),
        "grids": grids_of_samples(
            {
                name: {column: (np.zeros((4, 1, 8, 8)), "1") for column in ("one", "two")}
                for name in ("first", "a name of several words")
            },
            caption="x",
        ),
        "lines": scores_and_lines(
            {"1-grams": {"one": (steps, steps + 0.5)}},
            {"1-grams": 0.1},
            {"text": ["a $", "b_^"], "other": ["c"]},
            xlabel="x",
            ylabel="y",
            caption="x",
        ),
        "surfaces": value_surfaces(
            eta, {"clipping": [np.outer(eta, eta)] * 2}, points, points, columns=["one", "two"]
        ),
    }


def test_a_legend_hides_no_pairs_and_a_colour_has_one_meaning() -> None:
    drawn = figures()
    assert drawn["pairs"].axes[0].get_legend() is None
    assert drawn["pairs"].legends
    panels = drawn["bounds"].axes
    used = [{to_hex(line.get_color()) for line in panel.lines} - {"#000000"} for panel in panels]
    assert len(set.union(*used)) == sum(map(len, used))


def test_every_figure_is_drawn_the_same_twice_and_leaves_no_trace(tmp_path: Path) -> None:
    watched = ("font.size", "axes.grid", "lines.linewidth", "legend.fontsize")
    before = [mpl.rcParams[key] for key in watched]
    for (name, first), second in zip(figures().items(), figures().values(), strict=True):
        paths = [
            save(figure, tmp_path / f"{name} {i}.png", dpi=60) for i, figure in enumerate((first, second))
        ]
        one, two = (path.read_bytes() for path in paths)
        assert one == two
        assert len(one) > 3000
        assert not any(word in one for word in (b"Software", b"matplotlib", b"tEXt", b"tIME"))
    assert [mpl.rcParams[key] for key in watched] == before
    assert not list(tmp_path.glob("*.part"))


def test_pyplot_and_its_windows_are_never_imported() -> None:
    names = [f"gamedyn.plotting.{path.stem}" for path in PLOTTING.glob("*.py") if path.stem != "__init__"]
    code = f"import sys, {', '.join(names)}; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_colours_are_one_each() -> None:
    assert len(set(COLOURS.values())) == len(COLOURS)


def test_formulas_in_captions_are_not_broken_over_lines() -> None:
    with styled():
        figure = new_figure(3.0, 2.0)
        add_caption(figure, "word " * 7 + r"$a + b + c + d + e + f$ and $\eta_x < 1$ on")
    text = figure.get_supxlabel()
    assert all(line.count("$") % 2 == 0 for line in text.splitlines())
    assert len(text.splitlines()) > 2


def test_saving_makes_folders_and_refuses_other_formats(tmp_path: Path) -> None:
    with styled():
        figure = new_figure(1.0, 1.0)
    assert save(figure, tmp_path / "a" / "b.png").is_file()
    with pytest.raises(ValueError, match=r"b\.pdf"):
        save(figure, tmp_path / "b.pdf")
