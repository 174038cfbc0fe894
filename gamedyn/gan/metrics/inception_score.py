"""The Inception Score of batches of class probabilities, and how it varies over splits."""

from __future__ import annotations

import torch
from torch import Tensor


class InceptionScore:
    r"""Exponential of the mutual information between samples and their classes, over splits, in float64.

    .. math:: \mathrm{IS} = \exp\bigl(\mathbb{E}_x\, \mathrm{KL}(p(y \mid x) \,\|\, p(y))\bigr)

    Sample `i` of `n` belongs to split `⌊i·splits/n⌋`; the score is the mean over splits, and its spread
    their standard deviation (of the population, as in the original code). Only sums over samples are held.
    It lies between 1 and the number of classes. Samples that repeat one image a class score highest, so it
    decides nothing by itself. With the Inception network it is the Inception Score, and only then.

    Args:
        samples: How many samples will come.
        splits: How many parts they are split into; each must get two samples or more.

    Raises:
        ValueError: If a split would have fewer than two samples.

    Example:
        >>> score = InceptionScore(4, splits=1)
        >>> score.add(torch.eye(2).repeat(2, 1) * 1000)
        >>> score.result()
        (2.0, 0.0)

    References:
        Salimans et al., Improved techniques for training GANs, 2016, section 4.
    """

    def __init__(self, samples: int, *, splits: int = 10) -> None:
        if splits < 1 or samples < 2 * splits:
            raise ValueError(
                f"{splits} splits need at least {max(2 * splits, 2)} samples, 2 each, got {samples}"
            )
        self.samples, self.splits, self.count = samples, splits, 0
        self._sizes = torch.zeros(splits, dtype=torch.float64)
        self._negative_entropies = torch.zeros(splits, dtype=torch.float64)
        self._probabilities: Tensor | None = None

    def add(self, logits: Tensor) -> None:
        """Take in a batch.

        Args:
            logits: Of the classes, shape `(batch, classes)`.

        Raises:
            ValueError: For another shape, logits that are not finite, or more samples than were announced.
        """
        if logits.ndim != 2:
            raise ValueError(f"logits must have the shape (batch, classes), got {tuple(logits.shape)}")
        if self.count + len(logits) > self.samples:
            raise ValueError(
                f"{self.samples} samples were announced, these would be {self.count + len(logits)}"
            )
        logarithms = logits.detach().double().cpu().log_softmax(1)
        if bool(logarithms.isnan().any()):
            raise ValueError("a logit is NaN or infinite: look at the samples, the run may have diverged")
        probabilities = logarithms.exp()
        split = (self.count + torch.arange(len(logits))) * self.splits // self.samples
        if self._probabilities is None:
            self._probabilities = torch.zeros(self.splits, logits.shape[1], dtype=torch.float64)
        self._probabilities.index_add_(0, split, probabilities)
        self._negative_entropies.index_add_(0, split, -torch.special.entr(probabilities).sum(1))
        self._sizes += torch.bincount(split, minlength=self.splits)
        self.count += len(logits)

    def result(self) -> tuple[float, float]:
        """Give the score.

        Returns:
            Its mean and standard deviation over the splits.

        Raises:
            ValueError: If samples are missing.
        """
        if self.count < self.samples or self._probabilities is None:
            raise ValueError(f"{self.samples} samples were announced, only {self.count} came")
        marginal = self._probabilities / self._sizes[:, None]
        information = self._negative_entropies / self._sizes + torch.special.entr(marginal).sum(1)
        scores = information.exp()
        return float(scores.mean()), float(scores.std(correction=0))
