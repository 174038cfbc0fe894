"""gamedyn: optimizers, solvers and experiments for differentiable games in PyTorch.

The packages, from the bottom up: `gamedyn.solvers` (mixed-Hessian operators, conjugate gradients,
GMRES), `gamedyn.optimizers` (`SimGD`, `AltGD`, `CGD`, `ACGD`), `gamedyn.games` (games with exact
answers), `gamedyn.dynamics` (trajectories, spectra, stability maps), `gamedyn.gan` (GAN training)
and `gamedyn.plotting`. Importing `gamedyn` itself imports none of them, so it is instant.
"""

__version__ = "0.1.0"
