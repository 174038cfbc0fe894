"""Steps of unrolled GANs: the generator sees how the discriminator would answer, some steps ahead."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.optim import Adam, Optimizer

from gamedyn.gan.losses import GANLoss
from gamedyn.gan.models.statistics import frozen_running_statistics
from gamedyn.gan.noise import noised
from gamedyn.gan.steps.stepper import DrawBatch, StepRecord
from gamedyn.gan.steps.two_optimizers import TwoOptimizers

Weights = dict[str, Tensor]


class Unrolled(TwoOptimizers):
    r"""Simultaneous steps of two Adams, the generator's on the game `k` answers of the discriminator ahead.

    .. math:: \theta_G \leftarrow \theta_G - \alpha_G \frac{d f(\theta_G, \theta_D^k(\theta_G))}{d \theta_G},
        \qquad \theta_D^0 = \theta_D, \quad
        \theta_D^{i+1} = \theta_D^i - \operatorname{Adam}\big(\nabla_D \ell_D(\theta_G, \theta_D^i)\big)

    The derivative is the total one: it goes through the answers, through Adam's moments too, all on the
    step's batch. The discriminator itself takes one ordinary step. With `k` = 0 both players step by Adam
    at the same point.

    Args:
        generator_optimizer: Moves the generator.
        discriminator_optimizer: Moves the discriminator; the answers continue from its moments.
        answers: `k`.
        noise: Standard deviation of instance noise on both inputs of the discriminator; an attribute that may
            change between steps.

    Raises:
        ValueError: If `answers` is not a whole number of at least 0, or the discriminator's Adam has options
            that the answers do not follow.

    Example:
        >>> from functools import partial
        >>> from gamedyn.gan.batch import Batch
        >>> from gamedyn.gan.losses import Minimax
        >>> G, D = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
        >>> adams = (Adam(net.parameters(), lr=1e-3, betas=(0.5, 0.999)) for net in (G, D))
        >>> step = Unrolled(*adams, answers=5).step
        >>> step(G, D, Minimax(), partial(Batch, torch.randn(8, 3), torch.randn(8, 2))).skipped
        False

    References:
        Metz, Poole, Pfau, Sohl-Dickstein, Unrolled generative adversarial networks, ICLR 2017, equations 7
        to 10; its notebook steps both players at the same point, as here.
    """

    discriminator_optimizer: Adam

    def __init__(
        self,
        generator_optimizer: Optimizer,
        discriminator_optimizer: Adam,
        *,
        answers: int,
        noise: float = 0.0,
    ) -> None:
        if type(answers) is not int or answers < 0:
            raise ValueError(f"answers must be a whole number of at least 0, got {answers!r}")
        for group in discriminator_optimizer.param_groups:
            check_plain(group)
        super().__init__(generator_optimizer, discriminator_optimizer)
        self.answers = answers
        self.noise = noise

    def step(
        self, generator: nn.Module, discriminator: nn.Module, loss: GANLoss, draw: DrawBatch
    ) -> StepRecord:
        """Do one step of both players.

        Args:
            generator: Player 0.
            discriminator: Player 1.
            loss: The game.
            draw: Gives the next batch.

        Returns:
            Both losses, the generator's after the answers.

        Raises:
            ValueError: If a loss is not finite: ordinary optimizers would write it into the weights.
        """
        batch = draw()
        real, blur = noised(batch, self.noise)
        fake = batch.generated(generator)
        fake = fake if blur is None else fake + blur
        weights: Weights = {name: w for name, w in discriminator.named_parameters() if w.requires_grad}

        def scores(at: Weights, samples: Tensor) -> Tensor:
            found: Tensor = functional_call(discriminator, at, (samples,))
            return found

        def of_discriminator(at: Weights) -> Tensor:
            return loss.discriminator(scores(at, real), scores(at, fake))

        discriminator_loss = of_discriminator(weights)
        with ExitStack() as unseen:
            unseen.enter_context(frozen_running_statistics(discriminator))
            answered = answers_of_adam(of_discriminator, weights, self.discriminator_optimizer, self.answers)
            value = loss(scores(answered, real), scores(answered, fake))
            generator_loss = value[0] if isinstance(value, tuple) else value
            record = StepRecord(float(generator_loss.detach()), float(discriminator_loss.detach()))
            if not (math.isfinite(record.loss_generator) and math.isfinite(record.loss_discriminator)):
                raise ValueError(f"the losses became {record}: the run diverged, lower --lr or change --loss")
            movable: list[Tensor] = [p for p in generator.parameters() if p.requires_grad]
            players = movable, list(weights.values())
            # Both gradients before anything moves. The first graph is that of the answers, too.
            for own, player in zip((generator_loss, discriminator_loss), players, strict=True):
                if not player:  # frozen as a whole
                    continue
                found = torch.autograd.grad(own, player, retain_graph=True, materialize_grads=True)
                for parameter, gradient in zip(player, found, strict=True):
                    parameter.grad = gradient
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        return record


def answers_of_adam(
    loss: Callable[[Weights], Tensor], weights: Weights, optimizer: Adam, steps: int
) -> Weights:
    """Take steps of Adam that can be differentiated, from an optimizer's state, which stays as it is.

    Args:
        loss: What is descended, at any weights.
        weights: The parameters, as the optimizer has them, by name.
        optimizer: An Adam without further options.
        steps: How many steps.

    Returns:
        The weights after the steps, a differentiable function of whatever the loss depends on.
    """
    buckets = [Bucket(weights, names, optimizer) for names in buckets_of(weights, optimizer)]
    at = weights
    for _ in range(steps if weights else 0):
        gradients = torch.autograd.grad(
            loss(at), list(at.values()), create_graph=True, materialize_grads=True
        )
        by_name = dict(zip(at, gradients, strict=True))
        at = {name: weight for bucket in buckets for name, weight in bucket.moved(at, by_name).items()}
    return at


class Bucket:
    """Weights that Adam moves alike, as one vector: few large operations instead of many small ones.

    Args:
        weights: All parameters, by name.
        names: Those of the bucket.
        optimizer: The Adam whose state is continued.
    """

    def __init__(self, weights: Weights, names: Sequence[str], optimizer: Adam) -> None:
        self.shapes = {name: weights[name].shape for name in names}
        self.group, self.count = settings_of(weights[names[0]], optimizer)
        states = [optimizer.state.get(weights[name], {}) for name in names]
        self.mean, self.squares = (
            torch.cat(
                [
                    (state[moment] if moment in state else torch.zeros_like(weights[name])).reshape(-1)
                    for name, state in zip(names, states, strict=True)
                ]
            ).detach()
            for moment in ("exp_avg", "exp_avg_sq")
        )

    def moved(self, at: Weights, gradients: Weights) -> Weights:
        """Take a step.

        Args:
            at: Where the weights are.
            gradients: Their gradients.

        Returns:
            Where the bucket's weights go.
        """
        beta, beta_squares = self.group["betas"]
        gradient = torch.cat([gradients[name].reshape(-1) for name in self.shapes])
        self.count += 1
        self.mean = beta * self.mean + (1 - beta) * gradient
        self.squares = beta_squares * self.squares + (1 - beta_squares) * gradient * gradient
        used = self.squares > 0
        # The root has no derivative at 0, where a weight that nothing depends on would give NaN.
        root = torch.where(used, self.squares, 1.0).sqrt() * used
        scale = root / math.sqrt(1 - beta_squares**self.count) + self.group["eps"]
        step = self.mean / scale * (float(self.group["lr"]) / (1 - beta**self.count))
        parts = step.split([shape.numel() for shape in self.shapes.values()])
        return {
            name: at[name] - part.reshape(shape)
            for (name, shape), part in zip(self.shapes.items(), parts, strict=True)
        }


def buckets_of(weights: Weights, optimizer: Adam) -> list[list[str]]:
    """Sort weights by how Adam moves them.

    Args:
        weights: The parameters, by name.
        optimizer: The Adam.

    Returns:
        Names, those with the same settings and as many steps together.
    """
    found: dict[Any, list[str]] = {}
    for name, weight in weights.items():
        group, count = settings_of(weight, optimizer)
        key = (float(group["lr"]), *group["betas"], group["eps"], count, weight.dtype, weight.device)
        found.setdefault(key, []).append(name)
    return list(found.values())


def settings_of(weight: Tensor, optimizer: Adam) -> tuple[dict[str, Any], int]:
    """Find a parameter's group, and how many steps it has taken.

    Args:
        weight: The parameter.
        optimizer: The Adam.

    Returns:
        The group and the count.

    Raises:
        ValueError: If the optimizer does not have the parameter.
    """
    for group in optimizer.param_groups:
        if any(own is weight for own in group["params"]):
            return group, int(optimizer.state.get(weight, {}).get("step", 0))
    raise ValueError("the discriminator has a parameter that its optimizer does not move")


def check_plain(group: Mapping[str, Any]) -> None:
    """Refuse options of Adam that the answers do not follow.

    Args:
        group: A parameter group of the optimizer.

    Raises:
        ValueError: If there is one.
    """
    for option in ("weight_decay", "amsgrad", "maximize"):
        if group.get(option):
            raise ValueError(
                f"an unrolled discriminator needs a plain Adam, this one has {option}={group[option]}"
            )
    if "betas" not in group:
        raise ValueError("an unrolled discriminator needs torch.optim.Adam, whose steps it can repeat")
