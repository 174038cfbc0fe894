"""A moving average of the generator's weights, whose samples vary less from step to step."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class AveragedGenerator:
    r"""A copy of a generator whose weights follow it slowly.

    .. math:: \bar\theta \leftarrow \beta \bar\theta + (1 - \beta)\, \theta

    after every step; the first step copies the weights. Buffers (BatchNorm's running statistics) are always
    those of the generator. The arithmetic is that of `torch.optim.swa_utils.AveragedModel`.

    Args:
        generator: The generator that is trained.
        decay: :math:`\beta`, in `(0, 1)`; about `1 / (1 - decay)` steps are averaged.

    Example:
        >>> import torch
        >>> generator = nn.Linear(1, 1, bias=False)
        >>> average = AveragedGenerator(generator, decay=0.9)
        >>> for weight in (1.0, 2.0):
        ...     _ = nn.init.constant_(generator.weight, weight)
        ...     average.update(generator)
        >>> round(float(average.network.weight), 6)
        1.1

    References:
        Yazıcı et al., The unusual effectiveness of averaging in GAN training, 2019, equation 2.
    """

    def __init__(self, generator: nn.Module, decay: float) -> None:
        follow = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        self.average = AveragedModel(generator, multi_avg_fn=follow)
        self.average.requires_grad_(False)

    @property
    def network(self) -> nn.Module:
        """The averaged generator."""
        network: nn.Module = self.average.module
        return network

    def update(self, generator: nn.Module) -> None:
        """Take in the weights of one more step.

        Args:
            generator: The generator that is trained.
        """
        self.average.update_parameters(generator)

    def state_dict(self) -> dict[str, Tensor]:
        """Give the averaged weights and the buffers.

        Returns:
            What the generator's own `load_state_dict` takes.
        """
        return self.network.state_dict()

    def load_state_dict(self, state: Mapping[str, Tensor], *, steps: int) -> None:
        """Continue from a stored average.

        Args:
            state: What `state_dict` gave.
            steps: Steps averaged so far.
        """
        self.network.load_state_dict(state)
        self.average.n_averaged.fill_(steps)
