"""A GAN as one object, from which an optimizer gets the closure of each step."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from itertools import chain
from typing import get_args

import torch
from torch import Tensor, nn

from gamedyn.gan.auxiliary import AuxiliaryClassifier
from gamedyn.gan.batch import Batch
from gamedyn.gan.closure import GANClosure
from gamedyn.gan.config import PrecisionName
from gamedyn.gan.curvature.compiled import Compiler
from gamedyn.gan.curvature.fallback import AutogradDiscriminator, AutogradGenerator
from gamedyn.gan.curvature.network import LinearisedNetwork
from gamedyn.gan.curvature.precision import relaxed_dtype
from gamedyn.gan.curvature.retrace import Retrace
from gamedyn.gan.curvature.rule import UnsupportedError
from gamedyn.gan.curvature.subbatch import FirstColumns, FirstRows, ImageMap, MixedDerivative
from gamedyn.gan.curvature.trace import is_hooked
from gamedyn.gan.draws import GeneratorStates
from gamedyn.gan.losses import GANLoss
from gamedyn.gan.network_state import NetworkState
from gamedyn.gan.penalties import Penalty
from gamedyn.gan.penalties.slopes import misleading_layers


class GANObjective:
    r"""The game of a generator and a discriminator under a loss of their scores.

    The players meet in the generated batch alone, so the mixed Hessian factors into `K = M_D · J_G`: a
    product pushes a tangent of the generator's weights to the images (`J_G`), and the images' tangent to a
    cotangent of the discriminator's weights (`M_D`, the mixed derivative of the loss in image and weight).
    Both networks are linearised once a step, from the activations that the losses were computed with;
    products then cost about half of what double backward takes. See `on` for use.

    Covered by fast rules, in any composition that `torch.fx` can trace: linear layers, convolutions and
    transposed convolutions in one and two dimensions, also where their weight is parametrised (spectral and
    weight normalisation), batch and group normalisation, ReLU, LeakyReLU, tanh, sigmoid, softplus, gated
    nonlinearities, dropout, nearest and subpixel upsampling, average and max pooling, reshaping, padding,
    cropping, residual sums. Of gamedyn's own networks that leaves out conditional ones and LayerNorm. Any
    other network falls back to autograd by itself, and `fallbacks` says why; the numbers are the same. A
    network must not read the other's parameters.

    Args:
        generator: Player 0, from latent vectors to samples.
        discriminator: Player 1, from samples to one score each, of shape `(batch,)` or `(batch, 1)`.
        loss: The game; a loss that couples different samples' scores, or real with fake ones, must say
            `separable = False` and is differentiated by autograd, unless it says `paired = True`: each fake
            then meets one real sample. One that reads parameters is left to autograd too.
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
        compile: Whether `torch.compile` fuses the operations of products with fast rules. Compilation takes
            most of a minute with the first step, and a few seconds where it was done on this machine before;
            later steps run the same code until the networks or a batch's size change. What cannot be compiled
            stays eager: a warning says so once, and `fallbacks["compile"]` why.
        penalties: What the discriminator minimises besides its loss: in a zero-sum game it maximises `f - P`.
            Penalties see fakes cut off from the generator, so products do not know them.
        noise: Standard deviation of instance noise on both inputs of the discriminator, see `noise.noised`;
            an attribute that may change between steps.
        auxiliary: Weights of the classes' cross-entropy (0.1 and 1 by default), for a discriminator that
            returns scores and class logits; the game is general-sum then, and differentiated by autograd.

    Raises:
        TypeError: If the loss is a class, a name or anything else that cannot be called with scores.
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
        compile: bool = False,
        penalties: Sequence[Penalty] = (),
        noise: float = 0.0,
        auxiliary: AuxiliaryClassifier | None = None,
    ) -> None:
        if isinstance(loss, type) or not callable(loss):
            given = f"the class {loss.__name__}" if isinstance(loss, type) else repr(loss)
            raise TypeError(f"loss must be a loss itself, such as Wasserstein(), got {given}")
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
        self.penalties = tuple(penalties)
        self.noise = noise
        self.auxiliary = auxiliary or AuxiliaryClassifier()
        self._warned = False
        self.fallbacks: dict[str, str] = {}
        """Why a network (or the whole game) is differentiated by autograd, or a part of the fakes costs as
        much as all of them, or products are not compiled that should be; empty where none is so."""
        self.compiler = Compiler(self.fallbacks) if compile else None
        self._traces = {"generator": Retrace(), "discriminator": Retrace()}
        self._refused: dict[str, tuple[Hashable, ...]] = {}
        if not getattr(loss, "separable", False):
            if not getattr(loss, "paired", False):
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

    def on(
        self,
        real: Tensor,
        latent: Tensor,
        real_labels: Tensor | None = None,
        fake_labels: Tensor | None = None,
    ) -> GANClosure:
        """Return the closure of one step.

        What a step needs of torch's global generator (noise, a penalty's weights) is drawn here, so that
        every evaluation of the closure sees the same game.

        Args:
            real: A batch of samples.
            latent: A batch of latent vectors.
            real_labels: Classes of the samples, for a discriminator with class logits.
            fake_labels: Classes to generate; the generator is then called with both.

        Returns:
            What `opt.step(...)` takes.
        """
        return GANClosure(self, Batch(real, latent, real_labels, fake_labels))

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

    def linearised_scores(
        self, samples: Tensor, parameters: Sequence[Tensor]
    ) -> LinearisedNetwork | AutogradGenerator:
        """Run the discriminator once on the real samples, keeping how its scores move with its weights."""
        network = self._linearised("discriminator", self.discriminator, samples)
        return AutogradGenerator(self.discriminator, samples, parameters) if network is None else network

    def note_classes(self, batch: Batch) -> bool:
        """Note that a batch with classes is left to autograd; say whether it has some."""
        has_classes = batch.real_labels is not None or batch.fake_labels is not None
        if has_classes:
            self.fallbacks["classes"] = "a conditional game is differentiated by autograd as a whole"
        else:
            self.fallbacks.pop("classes", None)
        return has_classes

    def warn_of_third_derivatives(self) -> None:
        """Warn, once, where a penalty's own curvature would be wrong: curvature is being asked for."""
        if self._warned or not any(getattr(penalty, "per_sample", False) for penalty in self.penalties):
            return
        self._warned = True
        if kinds := misleading_layers(self.discriminator):
            warnings.warn(
                f"torch's third derivatives of {' and '.join(kinds)} are wrong by 20 to 34 %, so a gradient "
                "penalty's own curvature cannot be trusted (the mixed derivatives of this step are exact): "
                "use GroupNorm in the discriminator",
                RuntimeWarning,
                stacklevel=2,
            )

    def refuse_exchanged(self, x: Sequence[Tensor], y: Sequence[Tensor]) -> None:
        """Refuse players who play with each other's network: each would work for the other."""
        networks, players = (self.generator, self.discriminator), (x, y)
        of_g, of_d = ({id(p) for p in network.parameters()} for network in networks)
        of_x, of_y = ({id(p) for p in player} for player in players)
        if of_x <= of_d - of_g and of_y <= of_g - of_d:
            raise ValueError(
                "player 0 has the discriminator's parameters and player 1 the generator's: the generator "
                "minimises, so its parameters come first: (generator.parameters(), "
                "discriminator.parameters()); a loss that the discriminator minimises is to be negated, "
                "a pair to be exchanged"
            )

    def note_players(self, x: Sequence[Tensor], y: Sequence[Tensor], *inputs: Tensor) -> bool:
        """Note that players who own other tensors than their network's are left to autograd; say whether."""
        self.fallbacks.pop("players", None)
        networks, players = (self.generator.parameters(), self.discriminator.parameters()), (x, y)
        (of_g, of_d), (of_x, of_y) = ([{id(p) for p in own} for own in pair] for pair in (networks, players))
        if of_x <= of_g - of_d and of_y <= of_d - of_g and not any(value.requires_grad for value in inputs):
            return False
        self.fallbacks["players"] = (
            "player 0 is not the generator alone, or player 1 not the discriminator alone: the game is "
            "differentiated by autograd as a whole"
        )
        return True

    def note_autocast(self, device: str) -> bool:
        """Note that a game under autocast is left to autograd; say whether it is."""
        enabled = torch.is_autocast_enabled(device)
        if enabled:
            self.fallbacks["autocast"] = (
                "under autocast the game is differentiated by autograd as a whole, its products on all fakes"
            )
        else:
            self.fallbacks.pop("autocast", None)
        return enabled

    def note_parameters(self, *losses: Tensor) -> bool:
        """Note that losses of cut-off scores, if they can be differentiated, read parameters; say whether."""
        if not any(loss.requires_grad for loss in losses):
            return False
        self.fallbacks["loss"] = (
            f"{type(self.loss).__name__} reads parameters: the game is differentiated by autograd as a whole"
        )
        return True

    def note_part(self, *maps: ImageMap | MixedDerivative) -> None:
        """Note why products on a part of the fakes cost as much as on all, where they do."""
        self.fallbacks.pop("curvature_batch", None)
        for one in maps:
            if isinstance(one, FirstRows | FirstColumns):
                self.fallbacks["curvature_batch"] = one.reason

    def _linearised(self, name: str, network: nn.Module, value: Tensor) -> LinearisedNetwork | None:
        key = (value.shape, *((id(m), m.training, is_hooked(m)) for m in network.modules()))
        if self._refused.get(name) == key:
            return None
        self.fallbacks.pop(name, None)
        before = NetworkState(network)
        drawn = GeneratorStates(value.device)
        try:
            found = LinearisedNetwork(*self._traces[name](network), value)
            own = {id(parameter) for parameter in network.parameters()}
            if any(id(source) not in own for weight in found.computed for source in weight.sources):
                raise UnsupportedError("a weight computed from tensors that are no parameters of the network")
            return found
        except (UnsupportedError, ValueError, TypeError, LookupError, RuntimeError) as error:
            self.fallbacks[name] = str(error)
            self._refused[name] = key
            # the trace has run the network's own code, and the layers before the unknown one have advanced
            # their statistics and may have dropped out
            before.restore()
            drawn.restore()
            return None
