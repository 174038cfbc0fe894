"""`gamedyn icr quadratic | stability | bilinear`: the figures, the numbers and whether the claims hold.

The classes hold the flags; everything heavy is imported when `run` is called.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

OPTIMIZERS = ("SimGD", "AltGD", "CGD")
PAIRS = ((0.09, 0.01), (0.03, 0.03), (0.01, 0.09))
MEAN_LR = 0.03
# Beyond these step sizes squares of distances leave float64's range, and matplotlib's axes theirs.
SMALLEST, LARGEST = 1e-30, 1e30


@dataclass
class IcrQuadratic:
    """The discriminator alone diverges, in play it converges if it is slow: the game x² + 10xy + y²."""

    out: Path = Path("runs/icr-quadratic")
    """Folder for the pictures and the arrays behind them."""
    steps: int = 100
    """Steps of each run."""
    ratios: int = 241
    """Ratios of step sizes along the curve of who may be fast."""

    def run(self) -> None:
        """Draw the three figures and print what was found."""
        _at_least("--steps", self.steps, 50)
        _at_least("--ratios", self.ratios, 8)
        print(f"icr quadratic: f = x² + 10xy + y² from (0.4, 1), {self.steps} steps of SimGD")
        _list(self._planes() + self._slow_discriminator())

    def _planes(self) -> list[Path]:
        """The two panels and the three phase planes of the ICR post."""
        import numpy as np

        from gamedyn.dynamics import run
        from gamedyn.games import Quadratic
        from gamedyn.plotting.planar import phase_planes, with_and_without_answer

        game = Quadratic.icr()
        lr, max_lr = np.array(PAIRS).T
        runs = run(game, "SimGD", game.start, lr=lr, max_lr=max_lr, steps=self.steps)
        held = run(game, "SimGD", game.start, lr=0.0, max_lr=0.01, steps=self.steps)
        x, y, x_held, y_alone = runs.x[..., 0], runs.y[..., 0], held.x[:, 0], held.y[:, 0]
        radii = [float(game.spectral_radius("SimGD", *pair)) for pair in PAIRS]
        distance = np.hypot(x, y)
        for i, pair in enumerate(PAIRS):
            print(
                f"  η = {pair}: spectral radius {radii[i]:.6f}, "
                f"distance {distance[0, i]:.3f} -> {distance[-1, i]:.3g}"
            )
        print(f"  y alone at η_y = 0.01, x held at 0.4: y = 1 -> {y_alone[-1]:.4g}")
        _claim(
            "in play the slow discriminator converges, alone it diverges",
            distance[-1, 0] < distance[0, 0] < y_alone[-1],
        )
        _claim(
            "(.09, .01) converges, (.03, .03) spirals out slowly, (.01, .09) fast",
            radii[0] < 1 < radii[1] < radii[2] and distance[-1, 0] < distance[-1, 1] < distance[-1, 2],
        )
        panels = with_and_without_answer(
            (x[:, 0], y[:, 0]),
            (x_held, y_alone),
            lr=PAIRS[0],
            caption="SimGD on f = x² + 10xy + y²; x minimises, y maximises. Alone, y runs away from "
            "the origin, its worst point. In play with a generator nine times as fast, both converge to it "
            f"(factor {radii[0]:.4f} a step): implicit competitive regularisation. "
            "Right: linear between −1 and 1, logarithmic beyond.",
        )
        shown = min(self.steps, 50) + 1
        planes = phase_planes(
            [(x[:shown, i], y[:shown, i]) for i in range(3)],
            [
                rf"$(\eta_x, \eta_y)$ = ({a:g}, {b:g})" + f"\nspectral radius {radius:.4f}"
                for (a, b), radius in zip(PAIRS, radii, strict=True)
            ],
            reach=3.0,
            caption=f"The first {shown - 1} steps of SimGD on f = x² + 10xy + y². The faster the "
            "discriminator is beside the generator, the less stable the game: it converges, spirals out "
            "slowly, diverges fast.",
        )
        return [
            *_write(panels, self.out / "two_panels", {"x": x[:, 0], "y": y[:, 0], "y_alone": y_alone}),
            *_write(planes, self.out / "phase_planes", {"lr": lr, "max_lr": max_lr, "x": x, "y": y}),
        ]

    def _slow_discriminator(self) -> list[Path]:
        """Factor a step against the ratio of the step sizes."""
        import numpy as np

        from gamedyn.dynamics import growth
        from gamedyn.games import Quadratic
        from gamedyn.plotting.planar import slow_player

        game = Quadratic.icr()
        ratio, coarse = np.geomspace(0.02, 50.0, self.ratios), np.geomspace(0.025, 40.0, 15)
        lr, max_lr = MEAN_LR / np.sqrt(ratio), MEAN_LR * np.sqrt(ratio)
        some_lr, some_max_lr = MEAN_LR / np.sqrt(coarse), MEAN_LR * np.sqrt(coarse)
        predicted = {name: game.spectral_radius(name, lr, max_lr) for name in OPTIMIZERS}
        measured = {
            name: np.exp(growth(game, name, game.start, lr=some_lr, max_lr=some_max_lr))
            for name in OPTIMIZERS
        }
        limit = {}
        for name, factor in predicted.items():
            last = np.nonzero(factor < 1.0)[0][-1]
            limit[name] = float(np.interp(1.0, factor[last : last + 2], ratio[last : last + 2]))
        for name in OPTIMIZERS:
            print(f"  √(η_x η_y) = {MEAN_LR}: {name} is stable up to η_y/η_x = {limit[name]:.2f}")
        _claim("SimGD needs the discriminator to be the slower player", limit["SimGD"] < 1.0 < limit["CGD"])
        figure = slow_player(
            ratio,
            predicted,
            coarse,
            measured,
            1.0 + 2.0 * max_lr,
            mean_lr=MEAN_LR,
            caption="Only the ratio of the step sizes changes. SimGD is stable only while the "
            f"discriminator is the slower player (ratio below {limit['SimGD']:.2f}), AltGD up to "
            f"{limit['AltGD']:.2f}, CGD up to {limit['CGD']:.2f}; y alone never is. Circles: growth measured "
            "on 500 steps of the update law.",
        )
        arrays = {"ratio": ratio, "measured_at": coarse} | predicted
        return _write(
            figure,
            self.out / "slow_discriminator",
            arrays | {f"{k}_measured": v for k, v in measured.items()},
        )


@dataclass
class IcrStability:
    """Where SimGD, AltGD and CGD are stable in (η_x, η_y): measured by running them, and predicted."""

    out: Path = Path("runs/icr-stability")
    """Folder for the picture and the arrays behind it."""
    cells: int = 400
    """Step sizes along each axis of the map."""
    steps: int = 500
    """Steps of each run."""
    low: float = 3e-3
    """Smallest step size."""
    high: float = 10.0
    """Largest step size."""

    def run(self) -> None:
        """Draw the map and print how far measurement and prediction agree."""
        import numpy as np

        from gamedyn.dynamics import refine_ends, stability_map
        from gamedyn.games import Quadratic
        from gamedyn.plotting.stability import stability_maps

        _at_least("--cells", self.cells, 2)
        _at_least("--steps", self.steps, 2)
        if not SMALLEST <= self.low < self.high <= LARGEST:
            raise ValueError(
                f"--low and --high must satisfy {SMALLEST:g} <= low < high <= {LARGEST:g}, "
                f"got {self.low} and {self.high}"
            )
        game = Quadratic.icr()
        eta = np.geomspace(self.low, self.high, self.cells)
        fine = np.geomspace(self.low, self.high, 4000)
        for name in OPTIMIZERS:
            fine = refine_ends(partial(game.boundary, name), fine)
        print(
            f"icr stability: f = x² + 10xy + y², {self.cells} × {self.cells} pairs, {self.steps} steps each"
        )
        maps = {}
        for name in OPTIMIZERS:
            began = time.perf_counter()
            found = stability_map(game, name, lr=eta, max_lr=eta, start=game.start, steps=self.steps)
            seconds = time.perf_counter() - began
            print(
                f"  {name}: {found.agreement:.3%} of cells agree, {found.off_boundary} disagree off the "
                f"boundary; stable on {found.predicted.mean():.1%} of the map; {seconds:.1f} s"
            )
            maps[name] = found
        _claim(
            "measured and predicted stability agree on 99 % of cells, the rest on the boundary",
            all(found.agreement >= 0.99 and found.off_boundary == 0 for found in maps.values()),
        )
        figure = stability_maps(
            eta,
            eta,
            {name: found.measured for name, found in maps.items()},
            {name: found.predicted for name, found in maps.items()},
            {name: game.boundary(name, fine) for name in OPTIMIZERS},
            boundary_lr=fine,
            caption="f = x² + 10xy + y². Shaded: the distance to the equilibrium shrinks over "
            f"{self.steps} steps of the update law. Lines: the spectral radius of the exact iteration "
            "matrix is 1. SimGD is stable only below the diagonal, where the discriminator is the slower "
            r"player; CGD is stable for every $\eta_y$ once $1/52 \leq \eta_x < 1$.",
        )
        arrays = {
            f"{name}_{kind}": getattr(found, kind)
            for name, found in maps.items()
            for kind in ("growth", "radius")
        }
        _list(_write(figure, self.out / "stability", {"lr": eta, "max_lr": eta} | arrays))


@dataclass
class IcrBilinear:
    """Orbits of SimGD, AltGD, CGD and ACGD on f = xy, and how fast each nears the equilibrium."""

    out: Path = Path("runs/icr-bilinear")
    """Folder for the picture and the arrays behind it."""
    steps: int = 120
    """Steps of each run."""
    lr: float = 0.2
    """Step size of both players."""

    def run(self) -> None:
        """Draw the figure and print the measured and the exact factors."""
        import numpy as np

        from gamedyn.dynamics import trajectory
        from gamedyn.games import Bilinear
        from gamedyn.optimizers import ACGD, CGD, AltGD, SimGD
        from gamedyn.plotting.orbits import orbits_and_distances

        _at_least("--steps", self.steps, 2)
        if not 0.0 < self.lr < 2.0:
            raise ValueError(f"--lr must lie between 0 and 2, where AltGD's ellipse ends, got {self.lr}")
        game = Bilinear(1.0)
        print(f"icr bilinear: f = xy from (1, 1), {self.steps} steps at lr {self.lr}")
        optimizers: dict[str, Callable[..., Any]] = {
            "SimGD": SimGD,
            "AltGD": AltGD,
            "CGD": partial(CGD, rtol=1e-14),
            "ACGD": partial(ACGD, rtol=1e-14),
        }
        orbits, distances, exact, errors = {}, {}, {}, {}
        for name, optimizer in optimizers.items():
            x, y = game.parameters()
            path = trajectory(optimizer([x], [y], lr=self.lr), game.closure(x, y), self.steps)
            a, b = orbits[name] = path.x[:, 0], path.y[:, 0]
            distances[name] = np.hypot(a, b)
            if name == "ACGD":
                print(f"  ACGD: no constant factor; distance 1.414 -> {distances[name][-1]:.3g}")
                continue
            factor = float(game.contraction(name, self.lr)[0])
            exact[name] = distances[name][0] * factor ** np.arange(self.steps + 1)
            # AltGD turns on an ellipse: what it keeps is its invariant, not the distance.
            kept = np.sqrt(a * a + b * b - self.lr * a * b) if name == "AltGD" else distances[name]
            measured = float((kept[-1] / kept[0]) ** (1.0 / self.steps))
            errors[name] = abs(measured - factor)
            print(f"  {name}: factor a step {measured:.12f} measured, {factor:.12f} exact")
        _claim("SimGD, AltGD and CGD follow their exact factors to 1e-12", max(errors.values()) < 1e-12)
        figure = orbits_and_distances(
            orbits,
            distances,
            exact,
            reach=2.6,
            title=rf"f = xy,  $\eta_x = \eta_y$ = {self.lr:g}",
            axes_labels=("x  (minimises)", "y  (maximises)"),
            caption=r"Gradient descent cannot solve this game. Dashed: the exact factor a step, "
            r"$\sqrt{1+\eta^2}$ for SimGD, 1 for AltGD (an ellipse: the distance oscillates, "
            r"$x^2 + y^2 - \eta xy$ stays), $1/\sqrt{1+\eta^2}$ for CGD. ACGD's step sizes change, so it "
            "has no such factor.",
        )
        arrays = {f"{name}_x": path[0] for name, path in orbits.items()}
        _list(
            _write(figure, self.out / "bilinear", arrays | {f"{k}_y": path[1] for k, path in orbits.items()})
        )


def _at_least(flag: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{flag} must be at least {least}, got {value}")


def _claim(claim: str, held: object) -> None:
    print(f"  claim: {claim}: {'held' if held else 'did not hold'}")


def _write(figure: Figure, stem: Path, arrays: Mapping[str, Any]) -> list[Path]:
    """Save a figure beside the arrays it was drawn from."""
    import numpy as np

    from gamedyn.plotting.style import save

    picture, data = save(figure, stem.with_suffix(".png")), stem.with_suffix(".npz")
    np.savez_compressed(data, allow_pickle=False, **arrays)
    return [picture, data]


def _list(written: list[Path]) -> None:
    for path in written:
        print(f"  wrote {path}")
