"""Games with exact answers, one a file: equilibrium, iteration matrix, spectrum, contraction factor.

Beside them exact divergences and Wasserstein distances of the laws that GANs are said to bring together.
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
from gamedyn.games.projection import Projection as Projection
from gamedyn.games.quadratic import Quadratic as Quadratic
from gamedyn.games.toy_sets import TOY_SETS as TOY_SETS
from gamedyn.games.toy_sets import PointSet as PointSet
from gamedyn.games.toy_sets import SwissRoll as SwissRoll
from gamedyn.games.toy_sets import eight_gaussians as eight_gaussians
from gamedyn.games.toy_sets import twentyfive_gaussians as twentyfive_gaussians
from gamedyn.games.transport import BoundedNoise as BoundedNoise
from gamedyn.games.transport import Masses as Masses
from gamedyn.games.transport import wasserstein as wasserstein
from gamedyn.games.transport import wasserstein_bound as wasserstein_bound
