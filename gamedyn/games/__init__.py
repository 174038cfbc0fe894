"""Games with exact answers, one a file: equilibrium, iteration matrix, spectrum, contraction factor.

Beside them the exact divergences between laws on the line that GANs are said to minimise.
"""

from gamedyn.games.base import ExactGame as ExactGame
from gamedyn.games.bilinear import Bilinear as Bilinear
from gamedyn.games.dirac_gan import DiracGAN as DiracGAN
from gamedyn.games.divergences import Divergences as Divergences
from gamedyn.games.divergences import LineMixture as LineMixture
from gamedyn.games.divergences import divergences as divergences
from gamedyn.games.divergences import generator_slopes as generator_slopes
from gamedyn.games.divergences import kl_gaussians as kl_gaussians
from gamedyn.games.divergences import shift_derivatives as shift_derivatives
from gamedyn.games.gaussian_mixture import GaussianMixture as GaussianMixture
from gamedyn.games.gaussian_mixture import GaussianMixtureGAN as GaussianMixtureGAN
from gamedyn.games.gaussian_mixture import ModeReport as ModeReport
from gamedyn.games.quadratic import Quadratic as Quadratic
