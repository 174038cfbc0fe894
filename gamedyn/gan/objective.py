"""A GAN as one object: the closure of a step, which linearises its game by structure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import chain
from typing import TypeAlias, get_args

import torch
from torch import Tensor, nn

from gamedyn.gan.config import PrecisionName
from gamedyn.gan.curvature.discriminator import ScoreCurvature
from gamedyn.gan.curvature.fallback import AutogradCurvature, AutogradDiscriminator, AutogradGenerator
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.precision import relaxed_dtype, relaxed_maps
from gamedyn.gan.curvature.products import listed, products
from gamedyn.gan.curvature.retrace import Retrace
from gamedyn.gan.curvature.rule import UnsupportedError
from gamedyn.gan.curvature.subbatch import (
    FirstColumns,
    FirstRows,
    ImageMap,
    MixedDerivative,
    count_of,
    first_curvature,
    first_images,
)
from gamedyn.gan.losses import GANLoss
from gamedyn.gan.models.statistics import frozen_running_statistics
from gamedyn.solvers import Linearisation
from gamedyn.solvers.vectors import Vector

Losses: TypeAlias = Tensor | tuple[Tensor, Tensor]
Curvature: TypeAlias = ScoreCurvature | AutogradCurvature


class GANObjective:
    r"""The game of a generator and a discriminator under a loss of their scores.

    The players meet in the generated batch alone, so the mixed Hessian factors into `K = M_D · J_G`: a
    product pushes a tangent of the generator's weights to the images (`J_G`), and the images' tangent to a
    cotangent of the discriminator's weights (`M_D`, the mixed derivative of the loss in image and weight).
    Both networks are linearised once a step, from the activations that the losses were computed with;
    products then cost about half of what double backward takes. See `on` for use.

    Covered by fast rules, in any composition that `torch.fx` can trace: linear layers, convolutions and
    transposed convolutions in one and two dimensions, batch and group normalisation, ReLU, LeakyReLU, tanh,
    sigmoid, softplus, nearest upsampling, average pooling, reshaping, padding, cropping, residual sums. Any
    other network falls back to autograd by itself, and `fallbacks` says why; the numbers are the same.

    Args:
        generator: Player 0, from latent vectors to samples.
        discriminator: Player 1, from samples to one score each, of shape `(batch,)` or `(batch, 1)`.
        loss: The game; a loss that couples different samples' scores, or real with fake ones, must say
            `separable = False` and is differentiated by autograd.
        curvature_batch: The fraction of the fakes that products are taken on, in `(0, 1]`; gradients always
            come from the whole batch. A fraction `c` makes a product cost about `c` of a whole one and `K` an
            unbiased estimate of the whole batch's: a step solves a noisier game. On DCGANs the steps of
            Wasserstein games stay close to the whole batch's, those of minimax games may not. BatchNorm in
            training standardises the fraction anew, which biases products by O(1/samples). Where autograd
            differentiates the whole game (under autocast), products take the whole batch.
        precision: `"relaxed"` lets a solver take products in bfloat16, to a relative error of about 7e-3, at
            iterations where that cannot spoil its result; gradients, losses and all that is recomputed at the
            end stay exact. It does so for float32 networks with fast rules, on a CPU with AMX or AVX512-BF16
            and on CUDA from Ampere on; anywhere else, and for float64 networks, products stay exact, and
            `relaxed_dtype` is None.

    Raises:
        ValueError: If `curvature_batch` is not in `(0, 1]`, or less than 1 for a loss that is not separable;
            if `precision` is not `"float32"` or `"relaxed"`.

    Example:
        >>> from gamedyn.gan.losses import Wasserstein
        >>> from gamedyn.optimizers import ACGD
        >>> G, D = nn.Linear(2, 3), nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
        >>> game = GANObjective(G, D, Wasserstein())
        >>> opt = ACGD(G.parameters(), D.parameters(), lr=1e-3)
        >>> opt.step(game.on(torch.randn(8, 3), torch.randn(8, 2))).shape
        torch.Size([])
        >>> game.fallbacks
        {}

    References:
        Schäfer, Zheng and Anandkumar (2020), Implicit competitive regularization in GANs, section 4;
        Pearlmutter (1994), Fast exact multiplication by the Hessian.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss: GANLoss,
        *,
        curvature_batch: float = 1.0,
        precision: PrecisionName = "float32",
    ) -> None:
        if not 0.0 < curvature_batch <= 1.0:
            raise ValueError(f"curvature_batch must be a fraction in (0, 1], got {curvature_batch!r}")
        if precision not in get_args(PrecisionName):
            raise ValueError(
                f"precision must be one of {', '.join(get_args(PrecisionName))}, got {precision!r}"
            )
        self.generator = generator
        self.discriminator = discriminator
        self.loss = loss
        self.curvature_batch = curvature_batch
        self.precision = precision
        self.fallbacks: dict[str, str] = {}
        """Why a network (or the loss) is differentiated by autograd, or a part of the fakes costs as much as
        all of them; empty where neither is so."""
        self._traces = {"generator": Retrace(), "discriminator": Retrace()}
        self._refused: dict[str, tuple[tuple[int, bool], ...]] = {}
        if not getattr(loss, "separable", False):
            self.fallbacks["loss"] = f"{type(loss).__name__} does not say that it is separable"
            if curvature_batch < 1.0:
                raise ValueError(
                    f"curvature_batch must be 1 for {type(loss).__name__}, which does not say that it is "
                    f"separable, got {curvature_batch!r}"
                )

    @property
    def relaxed_dtype(self) -> torch.dtype | None:
        """What relaxed products are computed in; None where they are the exact ones."""
        if self.precision != "relaxed":
            return None
        return relaxed_dtype(chain(self.generator.parameters(), self.discriminator.parameters()))

    def on(self, real: Tensor, latent: Tensor) -> GANClosure:
        """Return the closure of one step.

        Args:
            real: A batch of samples.
            latent: A batch of latent vectors.

        Returns:
            What `opt.step(...)` takes.
        """
        return GANClosure(self, real, latent)

    def linearised_generator(
        self, latent: Tensor, parameters: Sequence[Tensor]
    ) -> LinearisedNetwork | AutogradGenerator:
        """Run the generator once, keeping its linearisation."""
        network = self._linearised("generator", self.generator, latent)
        return AutogradGenerator(self.generator, latent, parameters) if network is None else network

    def linearised_discriminator(
        self, fakes: Tensor, parameters: Sequence[Tensor]
    ) -> LinearisedNetwork | AutogradDiscriminator:
        """Run the discriminator once on the fakes, keeping its linearisation."""
        network = self._linearised("discriminator", self.discriminator, fakes)
        return AutogradDiscriminator(self.discriminator, fakes, parameters) if network is None else network

    def note_part(self, *maps: ImageMap | MixedDerivative) -> None:
        """Note why products on a part of the fakes cost as much as on all, where they do."""
        self.fallbacks.pop("curvature_batch", None)
        for one in maps:
            if isinstance(one, FirstRows | FirstColumns):
                self.fallbacks["curvature_batch"] = one.reason

    def _linearised(self, name: str, network: nn.Module, value: Tensor) -> LinearisedNetwork | None:
        key = tuple((id(module), module.training) for module in network.modules())
        if self._refused.get(name) == key:
            return None
        self.fallbacks.pop(name, None)
        buffers = [buffer.clone() for buffer in network.buffers()]
        try:
            return LinearisedNetwork(*self._traces[name](network), value)
        except (UnsupportedError, ValueError, TypeError, LookupError, RuntimeError) as error:
            self.fallbacks[name] = str(error)
            self._refused[name] = key
            # the layers before the unknown one have advanced their statistics
            for buffer, before in zip(network.buffers(), buffers, strict=True):
                buffer.data.copy_(before)  # by `.data`: a graph may hold them
            return None


class GANClosure:
    """One batch of a game: a closure, and its linearisation by structure.

    BatchNorm's running statistics advance with the first evaluation only, so once a step also where an
    optimizer asks again (`AltGD`).

    Args:
        objective: The game.
        real: A batch of samples.
        latent: A batch of latent vectors.
    """

    def __init__(self, objective: GANObjective, real: Tensor, latent: Tensor) -> None:
        self._objective = objective
        self._real = real
        self._latent = latent
        self._evaluated = False

    def __call__(self) -> Losses:
        """Evaluate the losses.

        Returns:
            One scalar (zero-sum) or one loss per player, carrying their graphs.
        """
        game = self._objective
        with ExitStack() as frozen:
            if self._evaluated:
                for network in (game.generator, game.discriminator):
                    frozen.enter_context(frozen_running_statistics(network))
            self._evaluated = True
            fake = game.generator(self._latent)
            return game.loss(game.discriminator(self._real), game.discriminator(fake))

    def linearise(self, x: Sequence[Tensor], y: Sequence[Tensor]) -> Linearisation | None:
        """Evaluate the game once, with its gradients and mixed products.

        Args:
            x: The generator's parameters.
            y: The discriminator's parameters.

        Returns:
            The linearisation; None for a loss that is not separable, under autocast, or without parameters.
        """
        game = self._objective
        if not x or not y:  # one player is frozen as a whole: nothing is coupled
            return None
        if "loss" in game.fallbacks or torch.is_autocast_enabled(self._latent.device.type):
            return None
        self._evaluated = True
        generator = game.linearised_generator(self._latent, x)
        with torch.enable_grad():
            scores_of_real = game.discriminator(self._real)
        discriminator = game.linearised_discriminator(generator.output, y)
        fake = discriminator.output if isinstance(discriminator, LinearisedNetwork) else discriminator.scores
        losses = game.loss(scores_of_real.detach(), fake)
        players = losses if isinstance(losses, tuple) else (losses,)

        mixed = any(
            not isinstance(network, LinearisedNetwork) or network.mixes_samples
            for network in (generator, discriminator)
        )
        count = count_of(game.curvature_batch, len(generator.output), mixed=mixed)

        def loss_of(player: int) -> Callable[[Tensor], Tensor]:
            def loss(scores: Tensor) -> Tensor:
                value = game.loss(scores_of_real.detach(), scores)
                return value[player] if isinstance(value, tuple) else value

            return loss

        def curvature(player: int) -> Curvature:
            if isinstance(discriminator, AutogradDiscriminator):
                return discriminator.curvature(loss_of(player), products=count is None)
            return ScoreCurvature(discriminator, *derivatives(loss_of(player), fake))

        curvatures = [curvature(player) for player in range(len(players))]
        image, weights = curvatures[0].gradients()
        if len(curvatures) > 1:
            weights = curvatures[1].gradients()[1]
        gradient_x = listed(generator.pull(image), x)
        gradient_y = listed(weights, y)
        of_real = self._of_real(scores_of_real, fake, y)
        gradient_y = [total + part for total, part in zip(gradient_y, of_real, strict=True)]
        images: ImageMap = generator
        derivatives_of: list[MixedDerivative] = [*curvatures]
        if count is not None:
            images = first_images(generator, game.generator, self._latent, x, count)
            derivatives_of = [
                first_curvature(whole, game.discriminator, generator.output, y, loss_of(player), fake, count)
                for player, whole in enumerate(curvatures)
            ]
        game.note_part(images, *derivatives_of)
        dtype = game.relaxed_dtype
        relaxed = None if dtype is None else relaxed_maps(images, derivatives_of, dtype)
        return Linearisation(
            tuple(loss.detach() for loss in players) if isinstance(losses, tuple) else losses.detach(),
            gradient_x,
            gradient_y,
            *products(images, derivatives_of, x, y),
            None if relaxed is None else products(*relaxed, x, y),
        )

    def _of_real(self, scores: Tensor, fake: Tensor, y: Sequence[Tensor]) -> Vector:
        """Return the gradient of player 1's loss through the real samples."""
        with torch.enable_grad():
            value = self._objective.loss(scores, fake)
        own = value[1] if isinstance(value, tuple) else value
        if not own.requires_grad or not y:
            return [torch.zeros_like(parameter) for parameter in y]
        return list(torch.autograd.grad(own, list(y), allow_unused=True, materialize_grads=True))


def derivatives(loss: Callable[[Tensor], Tensor], scores: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return a separable loss's first and second derivatives in each score; None for a vanishing second."""
    with torch.enable_grad():
        leaf = scores.detach().clone().requires_grad_(True)
        (first,) = torch.autograd.grad(loss(leaf), leaf, create_graph=True)
        if not first.requires_grad:
            return first.detach(), None
        (second,) = torch.autograd.grad(first.sum(), leaf)
    return first.detach(), second
