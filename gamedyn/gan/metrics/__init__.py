"""Distances between two sets of images, by their pixels or by the features of a trained network."""

from gamedyn.gan.metrics.classifier import open_classifier
from gamedyn.gan.metrics.frechet import Moments, frechet_distance
from gamedyn.gan.metrics.sliced import SlicedWasserstein

__all__ = ["Moments", "SlicedWasserstein", "frechet_distance", "open_classifier"]
