"""Games with exact answers, one a file: equilibrium, iteration matrix, spectrum, contraction factor."""

from gamedyn.games.base import ExactGame as ExactGame
from gamedyn.games.bilinear import Bilinear as Bilinear
from gamedyn.games.dirac_gan import DiracGAN as DiracGAN
from gamedyn.games.gaussian_mixture import GaussianMixture as GaussianMixture
from gamedyn.games.gaussian_mixture import GaussianMixtureGAN as GaussianMixtureGAN
from gamedyn.games.gaussian_mixture import ModeReport as ModeReport
from gamedyn.games.quadratic import Quadratic as Quadratic
