"""Scores of a generator against reference images, in one pass that never holds the images."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor
from tqdm import tqdm

from gamedyn.gan.metrics.extractors import Extractor
from gamedyn.gan.metrics.frechet import Moments, frechet_distance
from gamedyn.gan.metrics.inception_score import InceptionScore
from gamedyn.gan.metrics.kernel import kernel_distance
from gamedyn.gan.metrics.sliced import Projections, sliced_distance

Generate = Callable[[int], Iterable[Tensor]]
"""Gives so many samples, in batches of shape `(batch, channels, height, width)` in [-1, 1]."""

SPLITS, SUBSETS, SUBSET_SIZE, DIRECTIONS = 10, 100, 1000, 256
SLICED = "sliced Wasserstein"


def as_bytes(images: Tensor) -> Tensor:
    """Round images to 256 levels, as a picture file would hold them.

    Args:
        images: In [-1, 1]; what lies outside is clipped.

    Returns:
        The same shape, dtype uint8.

    Example:
        >>> as_bytes(torch.tensor([-1.0, 0.0, 1.0, 9.0])).tolist()
        [0, 128, 255, 255]
    """
    return images.add(1.0).mul(127.5).round().clamp(0.0, 255.0).to(torch.uint8)


def from_bytes(pixels: Tensor) -> Tensor:
    """Scale bytes to [-1, 1], the inverse of `as_bytes`.

    Args:
        pixels: Of any shape, dtype uint8.

    Returns:
        The same shape, dtype float32.
    """
    return pixels.float().mul_(2.0 / 255.0).sub_(1.0)


class _Collected:
    """What is kept of one set of images: moments, features, projections, never pixels."""

    def __init__(self, extractor: Extractor | None, seed: int, score: InceptionScore | None = None) -> None:
        self.extractor, self.score = extractor, score
        self.moments: Moments | None = None
        self.features: list[Tensor] = []
        self.projections = Projections(directions=DIRECTIONS, seed=seed)
        self.count = 0
        self.shape: tuple[int, ...] = ()
        self.classified = False

    def add(self, images: Tensor) -> None:
        self.count += len(images)
        self.shape = tuple(images.shape[1:])
        self.projections.add(images)
        if self.extractor is None or not len(images):
            return
        features, logits = self.extractor.features_and_logits(images)
        if self.moments is None:
            self.moments = Moments(features.shape[1])
        self.moments.add(features)
        self.features.append(features.float().cpu())
        if logits is not None:
            self.classified = True
            if self.score is not None:
                self.score.add(logits)


class Evaluator:
    """Scores of generators against one set of reference images, whose statistics are computed once.

    Images are rounded to 256 levels first, as if they came from files. Of them only features (float32),
    their moments (float64) and projections are held.

    Args:
        reference: Batches of real images in [-1, 1].
        extractor: The network whose features are compared; `None` for scores that need none.
        seed: Seed of the kernel distance's subsets and of the directions of projection.
        progress: Whether to show a progress bar where there is a terminal.

    Raises:
        ValueError: If there are fewer than two reference images, or they do not fit the extractor.

    Example:
        >>> draw = torch.Generator().manual_seed(0)
        >>> images = torch.rand(40, 1, 4, 4, generator=draw) * 2 - 1
        >>> pixels = Extractor("pixels", lambda images: (images.flatten(1), None))
        >>> scores = Evaluator(images.split(20), pixels).score(lambda n: [images], 40)
        >>> list(scores)
        ['FD (pixels)', 'KD (pixels)', 'KD (pixels) sd', 'sliced Wasserstein', 'samples', 'references']
        >>> round(scores["FD (pixels)"], 9), scores["sliced Wasserstein"]
        (0.0, 0.0)
    """

    def __init__(
        self,
        reference: Iterable[Tensor],
        extractor: Extractor | None = None,
        *,
        seed: int = 0,
        progress: bool = False,
    ) -> None:
        self.extractor, self.seed = extractor, seed
        self._quiet = None if progress else True
        self._reference = _Collected(extractor, seed)
        self._pass("reference", reference, None, self._reference)
        if self._reference.count < 2:
            raise ValueError(f"needs at least 2 reference images, got {self._reference.count}")
        if self.foreign:
            warnings.warn(self.foreign, RuntimeWarning, stacklevel=2)

    @property
    def references(self) -> int:
        """Number of reference images."""
        return self._reference.count

    @property
    def foreign(self) -> str:
        """Says where the images are not of the shape that the network has learnt on; else empty."""
        learnt_on = None if self.extractor is None else self.extractor.learnt_on
        if self.extractor is None or learnt_on is None or learnt_on == self._reference.shape:
            return ""
        return (
            f"{self.extractor.name} has learnt on images of shape {learnt_on}, these are "
            f"{self._reference.shape}: its features mean little here, and rank only what is scored alike"
        )

    @property
    def dimension(self) -> int:
        """Length of a feature vector; 0 without an extractor."""
        moments = self._reference.moments
        return 0 if moments is None else len(moments.mean)

    def score(
        self,
        generate: Generate,
        samples: int,
        *,
        splits: int = SPLITS,
        subsets: int = SUBSETS,
        subset_size: int = SUBSET_SIZE,
    ) -> dict[str, float]:
        """Score a generator.

        Args:
            generate: Gives the samples in batches.
            samples: How many.
            splits: Parts of the samples that the classifier score is averaged over, of two samples or more.
            subsets: Subsets that the kernel distance is averaged over.
            subset_size: Most samples of each set in a subset.

        Returns:
            By name, as far as the extractor allows: the Fréchet distance, the kernel distance and the
            classifier score with their standard deviations (`... sd`), the sliced Wasserstein distance, and
            the numbers of `samples` and `references`. Only with the Inception network are the first three
            called FID, KID and Inception Score.

        Raises:
            ValueError: If fewer than two samples are asked for, other than so many come, or one is not
                finite.
        """
        if samples < 2:
            raise ValueError(f"samples must be at least 2, where a spread begins, got {samples}")
        if self.extractor is not None and min(samples, self.references) < self.dimension + 1:
            warnings.warn(
                f"{samples} samples and {self.references} references for {self.dimension} features: below "
                f"{self.dimension + 1} a covariance has no full rank and the {self.extractor.frechet} is too "
                "large; compare at equal numbers only",
                RuntimeWarning,
                stacklevel=2,
            )
        score = InceptionScore(samples, splits=min(splits, samples // 2))
        found = _Collected(self.extractor, self.seed, score)
        self._pass("samples", generate(samples), samples, found)
        if found.count != samples:
            raise ValueError(f"asked for {samples} samples, got {found.count}")
        result: dict[str, float] = {}
        reference, extractor = self._reference, self.extractor
        if extractor is not None and found.moments is not None and reference.moments is not None:
            result[extractor.frechet] = frechet_distance(found.moments, reference.moments)
            result[extractor.kernel], result[f"{extractor.kernel} sd"] = kernel_distance(
                torch.cat(found.features),
                torch.cat(reference.features),
                subsets=subsets,
                subset_size=subset_size,
                seed=self.seed,
            )
            if found.classified:
                name = extractor.classifier
                result[name], result[f"{name} sd"] = score.result()
        common = min(found.count, reference.count)
        ours, theirs = found.projections.values, reference.projections.values
        result[SLICED] = sliced_distance(ours[:common], theirs[:common])
        return result | {"samples": samples, "references": self.references}

    def protocol(self, samples: int) -> list[str]:
        """Say in sentences how scores of so many samples come about.

        Args:
            samples: How many.

        Returns:
            What must stand beside the numbers.
        """
        lines = [
            f"{samples:,} samples against {self.references:,} reference images, all rounded to 256 levels."
        ]
        common = min(samples, self.references)
        if self.extractor is not None:
            name = self.extractor.name
            features = f"Features: {name}, {self.dimension} of them."
            if not self.extractor.published:
                features += " No FID: comparable only with numbers of the same network and counts."
            lines += [f"Note: {self.foreign}."] if self.foreign else []
            lines += [
                features,
                f"{self.extractor.kernel}: {SUBSETS} subsets of {min(common, SUBSET_SIZE):,}, sd over them.",
            ]
            if self._reference.classified:
                splits = min(SPLITS, samples // 2)
                lines.append(f"{self.extractor.classifier}: {splits} splits, sd over them.")
        lines.append(f"Sliced Wasserstein: {DIRECTIONS} directions in pixel space, {common:,} images each.")
        return lines

    def _pass(self, what: str, batches: Iterable[Tensor], total: int | None, into: _Collected) -> None:
        # It does not stay: a run that is scored often would fill the terminal.
        with tqdm(desc=what, total=total, unit="image", disable=self._quiet, leave=False) as bar:
            for images in batches:
                if not bool(images.isfinite().all()):
                    raise ValueError(
                        f"one of the {what} images {into.count} to {into.count + len(images) - 1} is NaN or "
                        "infinite: the run may have diverged"
                    )
                into.add(from_bytes(as_bytes(images)))
                bar.update(len(images))


def evaluate(
    generate: Generate,
    reference: Iterable[Tensor],
    extractor: Extractor | None,
    *,
    samples: int = 10_000,
    seed: int = 0,
    progress: bool = False,
) -> dict[str, float]:
    """Score one generator; an `Evaluator` scores several against the same reference.

    Args:
        generate: Gives so many samples in batches, in [-1, 1].
        reference: Batches of real images in [-1, 1].
        extractor: The network whose features are compared; `None` for scores that need none.
        samples: How many samples to take.
        seed: Seed of subsets and directions.
        progress: Whether to show progress bars where there is a terminal.

    Returns:
        What `Evaluator.score` gives.

    Example:
        >>> images = torch.linspace(-1, 1, 40 * 16).view(40, 1, 4, 4)
        >>> round(evaluate(lambda n: iter(images[:n].split(7)), [images], None, samples=40)["samples"])
        40
    """
    return Evaluator(reference, extractor, seed=seed, progress=progress).score(generate, samples)


def in_batches(images: Tensor, size: int = 250) -> Iterator[Tensor]:
    """Scale bytes to [-1, 1] a batch at a time.

    Args:
        images: Shape `(n, ...)`, dtype uint8.
        size: Images a batch.

    Yields:
        Batches, dtype float32.
    """
    for part in torch.split(images, size):
        yield from_bytes(part)
