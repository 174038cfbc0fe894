"""What a training run can be told, one field a flag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from gamedyn.gan.architectures import ArchitectureName, NormName
from gamedyn.gan.config.values import check_values

DatasetName = Literal["cifar10", "digits", "ring", "grid"]
OptimizerName = Literal["simgd", "altgd", "cgd", "acgd", "adam", "rmsprop", "sgd"]
LossName = Literal["minimax", "non-saturating", "wgan", "hinge", "lsgan", "rpgan"]
InitName = Literal["tflib", "tflib64", "torch", "uniform", "normal", "icr", "icr-adam"]
PrecisionName = Literal["float32", "relaxed"]
SidesName = Literal["two", "one"]
DecayName = Literal["none", "linear"]

CHOICES: dict[str, tuple[str, ...]] = {
    "dataset": get_args(DatasetName),
    "optimizer": get_args(OptimizerName),
    "loss": get_args(LossName),
    "architecture": get_args(ArchitectureName),
    "critic_norm": get_args(NormName),
    "init": get_args(InitName),
    "gp_sides": get_args(SidesName),
    "lr_decay": get_args(DecayName),
    "precision": get_args(PrecisionName),
}


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training run; what is left out is chosen to suit the data set and the optimizer."""

    dataset: DatasetName = "digits"
    """What to imitate: CIFAR-10, scikit-learn's 8x8 digits, or 2-D Gaussians on a ring or a grid."""
    image_size: int | None = None
    """Resample square images to this many pixels a side: bilinear upwards, averaged downwards."""
    dequantise: bool = False
    """Spread each level of a pixel evenly up to the next: CIFAR-10 gets U[0, 1/128), as WGAN-GP's ResNet."""

    architecture: ArchitectureName | None = None
    """The networks; by default the DCGAN of the WGAN-GP paper for images, an mlp for points."""
    architecture_index: int = 0
    """Which of the random architectures."""
    critic_norm: NormName | None = None
    """Normalisation of the discriminator; by default what the architecture has by itself."""
    spectral_norm: bool = False
    """Divide every layer of the discriminator by its largest singular value."""
    dropout: float = 0.0
    """Fraction of the discriminator's activations that are dropped."""
    dim: int | None = None
    """Width of the networks: by default 64 channels on cifar10, 32 on digits, 64 units for points."""
    latent: int | None = None
    """Length of the noise vectors; by default 128 on cifar10, 64 on digits, 256 for points."""
    init: InitName | None = None
    """For images: tflib or tflib64 (WGAN-GP's), torch (cifar10's), uniform or normal (sd 0.02), icr."""

    optimizer: OptimizerName = "acgd"
    """Who plays: an optimizer for games, or torch's Adam, RMSprop or SGD alternating between the players."""
    lr: float | None = None
    """Learning rate of the generator; by default what suits the optimizer."""
    max_lr: float | None = None
    """Learning rate of the discriminator; by default that of the generator."""
    lr_decay: DecayName = "none"
    """Whether both learning rates fall linearly to 0 over the run."""
    beta1: float | None = None
    """Decay of adam's first moment (0.5), or momentum of sgd (0)."""
    beta2: float | None = None
    """Decay of the second moment: 0.999 for adam, 0.99 for acgd and rmsprop."""
    n_critic: int | None = None
    """Discriminator steps to a generator step, each on new samples (adam, rmsprop, sgd); 1 by default."""
    generator_batches: int | None = None
    """New batches of a generator step (adam, rmsprop, sgd); by default the discriminator's last batch."""
    rtol: float = 1e-2
    """Relative residual at which a competitive step's linear solve stops (cgd and acgd)."""
    max_iter: int | None = None
    """Most iterations of that solve; by default 2 for acgd on images (100 for wgan on cifar10), else 20."""
    curvature_batch: float | None = None
    """Fraction of the fakes that products take; by default 1/4 for acgd and wgan on cifar10, else 1."""
    precision: PrecisionName | None = None
    """Precision of those products: relaxed takes bfloat16 where it is fast and the solve allows it; it is the
    default for acgd and wgan on cifar10, else float32."""
    compile: bool = False
    """Whether those products are compiled: a minute with the first step, a little off each later one."""

    loss: LossName | None = None
    """The game; on images by default wgan for cgd and acgd, non-saturating for adam; else minimax."""
    clip: float | None = None
    """Clip every weight of the critic to [-clip, clip] after each of its steps (WGAN, 0.01)."""
    gp: float = 0.0
    """Weight of the gradient penalty between real and fake samples (WGAN-GP, 10)."""
    gp_sides: SidesName = "two"
    """Whether that penalty draws the gradient's norm to 1 (two) or only pushes it below 1 (one)."""
    r1: float = 0.0
    """Weight gamma of the penalty at real samples: gamma/2 times the gradient's squared norm."""
    r2: float = 0.0
    """The same at generated samples."""
    weight_decay: float = 0.0
    """Weight of the sum of the discriminator's squared weights in what it minimises (ICR, 1e-4)."""
    instance_noise: float = 0.0
    """Standard deviation of noise added to real and generated samples; falls linearly to 0 over the run."""
    label_smoothing: float = 0.0
    """How far below 1 the discriminator's target for real samples lies (minimax and non-saturating)."""

    steps: int | None = None
    """Generator steps in all; by default 2000 on digits, 5000 on cifar10, 3000 for points."""
    batch_size: int | None = None
    """Samples a step; by default 64 images or 128 points."""
    seed: int = 0
    """Seed of the weights, the noise and the data order."""
    ema: float = 0.0
    """Decay of a moving average of the generator, kept beside it and sampled in its place; 0: none."""
    extractor: str | None = None
    """Features for scores: inception:PATH, cifarnet:FOLDER or module.path:attribute; by default no scores."""
    eval_every: int | None = None
    """Steps between two evaluations with the extractor; by default only at the end."""
    eval_samples: int = 10_000
    """Generated samples an evaluation takes."""
    eval_references: int = 10_000
    """Most training images they are compared with, for every seed the same."""
    log_every: int = 10
    """Steps between two lines of log.jsonl."""
    sample_every: int = 500
    """Steps between two pictures of samples from the same noise."""
    checkpoint_every: int = 500
    """Steps between two checkpoints."""
    keep: int = 2
    """How many of the newest checkpoints are kept."""
    tensorboard: bool = False
    """Whether the log is written for TensorBoard too."""

    device: str = "cpu"
    """Where the networks live: cpu, cuda, cuda:1, ..."""
    threads: int | None = None
    """Threads of torch on the CPU; by default what torch takes."""
    channels_last: bool = False
    """Whether images lie in memory with their channels last, which some machines are faster with."""
    data_root: str | None = None
    """Folder of the data sets; by default GAMEDYN_DATA, else the platform's cache folder."""

    def __post_init__(self) -> None:
        check_values(self, CHOICES)
