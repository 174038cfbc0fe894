"""Generator and discriminator pairs whose channels and size come from the data."""

from gamedyn.gan.models.bottleneck import BottleneckDiscriminator as BottleneckDiscriminator
from gamedyn.gan.models.bottleneck import BottleneckGenerator as BottleneckGenerator
from gamedyn.gan.models.characters import CharacterDiscriminator as CharacterDiscriminator
from gamedyn.gan.models.characters import CharacterGenerator as CharacterGenerator
from gamedyn.gan.models.conditional import ConditionalBatchNorm2d as ConditionalBatchNorm2d
from gamedyn.gan.models.conditional import ConditionalResNetDiscriminator as ConditionalResNetDiscriminator
from gamedyn.gan.models.conditional import ConditionalResNetGenerator as ConditionalResNetGenerator
from gamedyn.gan.models.dcgan import DCGANDiscriminator as DCGANDiscriminator
from gamedyn.gan.models.dcgan import DCGANGenerator as DCGANGenerator
from gamedyn.gan.models.initialisation import initialise as initialise
from gamedyn.gan.models.mnist import MNISTDiscriminator as MNISTDiscriminator
from gamedyn.gan.models.mnist import MNISTGenerator as MNISTGenerator
from gamedyn.gan.models.normalisation import ChannelLayerNorm as ChannelLayerNorm
from gamedyn.gan.models.pairs import build_pair as build_pair
from gamedyn.gan.models.perceptron import MLPGenerator as MLPGenerator
from gamedyn.gan.models.perceptron import perceptron as perceptron
from gamedyn.gan.models.regularised import add_dropout as add_dropout
from gamedyn.gan.models.regularised import add_spectral_norm as add_spectral_norm
from gamedyn.gan.models.resnet import ResNetDiscriminator as ResNetDiscriminator
from gamedyn.gan.models.resnet import ResNetGenerator as ResNetGenerator
from gamedyn.gan.models.statistics import frozen_running_statistics as frozen_running_statistics
