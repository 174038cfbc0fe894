"""Generator and discriminator pairs whose channels and size come from the data."""

from gamedyn.gan.models.dcgan import DCGANDiscriminator as DCGANDiscriminator
from gamedyn.gan.models.dcgan import DCGANGenerator as DCGANGenerator
from gamedyn.gan.models.initialisation import initialise as initialise
from gamedyn.gan.models.pairs import build_pair as build_pair
from gamedyn.gan.models.statistics import frozen_running_statistics as frozen_running_statistics
