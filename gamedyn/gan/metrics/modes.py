"""How many modes of a mixture samples cover."""

from __future__ import annotations

from torch import Tensor

from gamedyn.games.gaussian_mixture import GaussianMixture

NEAR = 0.1


def mode_coverage(mixture: GaussianMixture, samples: Tensor) -> dict[str, float]:
    """Count the modes that samples cover, and the share of samples near one.

    Args:
        mixture: What the samples imitate.
        samples: Shape `(n, 2)`.

    Returns:
        `modes` covered within 0.1 of their centres, the share of samples so near (`high_quality`), and the
        share within three standard deviations (`within_3_std`); see `GaussianMixture.report`. A sample that
        is not finite is near no mode.

    Raises:
        ValueError: If there are no samples.

    Example:
        >>> ring = GaussianMixture.ring()
        >>> mode_coverage(ring, ring.centers[:6].repeat(4, 1))
        {'modes': 6, 'high_quality': 1.0, 'within_3_std': 1.0}
    """
    near = mixture.report(samples, radius=NEAR)
    return {
        "modes": near.covered,
        "high_quality": round(near.high_quality, 4),
        "within_3_std": round(mixture.report(samples).high_quality, 4),
    }
