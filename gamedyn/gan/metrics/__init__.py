"""Scores of generated samples, by the features of a trained network or without one."""

from gamedyn.gan.metrics.classifier import open_classifier
from gamedyn.gan.metrics.extractors import Extractor, open_extractor
from gamedyn.gan.metrics.frechet import Moments, frechet_distance
from gamedyn.gan.metrics.inception_score import InceptionScore
from gamedyn.gan.metrics.kernel import kernel_distance, polynomial_mmd
from gamedyn.gan.metrics.nearest import memorisation, nearest_neighbours
from gamedyn.gan.metrics.ngrams import ngram_divergence
from gamedyn.gan.metrics.overfitting import critic_losses
from gamedyn.gan.metrics.sliced import SlicedWasserstein

__all__ = [
    "Extractor",
    "InceptionScore",
    "Moments",
    "SlicedWasserstein",
    "critic_losses",
    "frechet_distance",
    "kernel_distance",
    "memorisation",
    "nearest_neighbours",
    "ngram_divergence",
    "open_classifier",
    "open_extractor",
    "polynomial_mmd",
]
