"""Samples to train on: CIFAR-10, MNIST, digits, Gaussian mixtures, lines of text, any tensor or data set."""

from gamedyn.gan.data.cifar10 import load_cifar10 as load_cifar10
from gamedyn.gan.data.digits import load_digits as load_digits
from gamedyn.gan.data.images import ImageSet as ImageSet
from gamedyn.gan.data.images import image_set as image_set
from gamedyn.gan.data.mnist import load_mnist as load_mnist
from gamedyn.gan.data.order import BatchOrder as BatchOrder
from gamedyn.gan.data.roots import data_root as data_root
from gamedyn.gan.data.sources import ImageSource as ImageSource
from gamedyn.gan.data.sources import PointSource as PointSource
from gamedyn.gan.data.sources import Source as Source
from gamedyn.gan.data.sources import open_source as open_source
from gamedyn.gan.data.text import TextLines as TextLines
from gamedyn.gan.data.text import load_text as load_text
from gamedyn.gan.data.text import text_lines as text_lines
