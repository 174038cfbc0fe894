"""Dynamics of games: trajectories, iteration matrices, spectra and stability maps, as NumPy arrays.

The update laws here are written a second time, in NumPy and for whole grids of step sizes or starting
points at once; tests hold them to the optimizers of `gamedyn.optimizers`, which this package never
imports: a live optimizer is handed to `trajectory`.
"""

from gamedyn.dynamics.laws import LAWS as LAWS
from gamedyn.dynamics.laws import Game as Game
from gamedyn.dynamics.laws import Law as Law
from gamedyn.dynamics.laws import altgd as altgd
from gamedyn.dynamics.laws import cgd as cgd
from gamedyn.dynamics.laws import law as law
from gamedyn.dynamics.laws import simgd as simgd
from gamedyn.dynamics.matrices import iteration_matrix as iteration_matrix
from gamedyn.dynamics.matrices import optimizer_name as optimizer_name
from gamedyn.dynamics.matrices import spectral_radius as spectral_radius
from gamedyn.dynamics.matrices import spectrum as spectrum
from gamedyn.dynamics.runs import Trajectory as Trajectory
from gamedyn.dynamics.runs import run as run
from gamedyn.dynamics.runs import trajectory as trajectory
from gamedyn.dynamics.stability import StabilityMap as StabilityMap
from gamedyn.dynamics.stability import growth as growth
from gamedyn.dynamics.stability import refine_ends as refine_ends
from gamedyn.dynamics.stability import stability_map as stability_map
