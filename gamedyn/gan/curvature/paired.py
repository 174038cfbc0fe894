"""The mixed second derivative of a loss that compares each fake with one real sample."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from gamedyn.gan.curvature.discriminator import ScoreCurvature
from gamedyn.gan.curvature.fallback import AutogradCurvature, AutogradDiscriminator
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.subbatch import ImageMap


class PairedCurvature:
    """The mixed second derivative of `F(h, y) = Σᵢ φ(D_y(xᵢ), D_y(hᵢ))` in the fakes `h` and the weights `y`.

    To that of the fakes' scores alone it adds, through `∂²φ/∂r∂f`, what the weights do to the real samples'
    scores: one pass of the discriminator over the real samples and one over the fakes.

    Args:
        alone: The curvature with the real scores held fixed.
        fakes: The discriminator at the fakes.
        reals: Its map from weights to scores at the real samples.
        mixed: `∂²φ/∂r∂f` of each pair, of the scores' shape.
    """

    def __init__(
        self,
        alone: ScoreCurvature | AutogradCurvature,
        fakes: LinearisedNetwork | AutogradDiscriminator,
        reals: ImageMap,
        mixed: Tensor,
    ) -> None:
        self.alone, self.fakes, self.reals, self.mixed = alone, fakes, reals, mixed

    @property
    def by_rules(self) -> bool:
        """Whether rules cover the discriminator at the fakes and at the real samples."""
        return isinstance(self.alone, ScoreCurvature) and isinstance(self.reals, LinearisedNetwork)

    def gradients(self) -> tuple[Tensor, dict[int, Tensor]]:
        """Return `∂F/∂h`, and `∂F/∂y` through the fakes."""
        return self.alone.gradients()

    def to_weights(self, dot: Tensor) -> dict[int, Tensor]:
        """Return `∂²F/∂y∂h · ḣ`."""
        fakes = self.fakes
        scores = fakes.tangent(dot, {})[0] if isinstance(fakes, LinearisedNetwork) else fakes.push(dot)
        weights = self.alone.to_weights(dot)
        if scores is None:
            return weights
        for key, part in self.reals.pull(self.mixed * scores).items():
            weights[key] = weights[key] + part if key in weights else part
        return weights

    def to_image(self, weights: Mapping[int, Tensor]) -> Tensor:
        """Return `∂²F/∂h∂y · ẏ`, the adjoint of `to_weights`."""
        bar = self.mixed * self.reals.push(weights)
        fakes = self.fakes
        image = fakes.cotangent(bar)[0] if isinstance(fakes, LinearisedNetwork) else fakes.pull(bar)
        return torch.add(self.alone.to_image(weights), image)
