"""Networks that generate and judge whole lines of characters, without recurrence or sampling."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from gamedyn.gan.models.initialisation import initialise

BLOCKS, KERNEL, SHARE = 5, 5, 0.3


class CharacterBlock(nn.Module):
    """Two 1-D convolutions of width 5, each after a ReLU, of which 0.3 is added to the input.

    Args:
        dim: Channels.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [nn.ReLU(), nn.Conv1d(dim, dim, KERNEL, padding=KERNEL // 2)]
        self.branch = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Add to the input.

        Args:
            x: Shape `(batch, dim, length)`.

        Returns:
            The same shape.
        """
        return x + SHARE * cast("Tensor", self.branch(x))


class CharacterGenerator(nn.Module):
    """Map latent vectors to lines: in each place a distribution over the characters.

    Args:
        characters: Size of the vocabulary.
        length: Characters of a line.
        dim: Channels of all maps; the paper's are 512.
        latent: Length of the latent vectors.

    Example:
        >>> import torch
        >>> lines = CharacterGenerator(65, 16, dim=8)(torch.randn(4, 128))
        >>> lines.shape, bool(torch.allclose(lines.sum(1), torch.ones(4, 16)))
        (torch.Size([4, 65, 16]), True)

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.5 and appendix;
        `gan_language.py` of its code.
    """

    def __init__(self, characters: int, length: int, *, dim: int = 512, latent: int = 128) -> None:
        super().__init__()
        self.latent = latent
        self.project = nn.Sequential(nn.Linear(latent, dim * length), nn.Unflatten(1, (dim, length)))
        self.blocks = nn.Sequential(*(CharacterBlock(dim) for _ in range(BLOCKS)))
        self.out = nn.Sequential(nn.Conv1d(dim, characters, 1), nn.Softmax(dim=1))
        initialise(self)

    def forward(self, z: Tensor) -> Tensor:
        """Generate lines.

        Args:
            z: Latent vectors, shape `(batch, latent)`.

        Returns:
            Probabilities, shape `(batch, characters, length)`.
        """
        return cast("Tensor", self.out(self.blocks(self.project(z))))


class CharacterDiscriminator(nn.Module):
    """Score lines, of certain characters or of distributions over them.

    Args:
        characters: Size of the vocabulary.
        length: Characters of a line.
        dim: Channels of all maps; the paper's are 512.

    Example:
        >>> import torch
        >>> CharacterDiscriminator(65, 16, dim=8)(torch.zeros(4, 65, 16)).shape
        torch.Size([4])

    References:
        As for `CharacterGenerator`.
    """

    def __init__(self, characters: int, length: int, *, dim: int = 512) -> None:
        super().__init__()
        self.embed = nn.Conv1d(characters, dim, 1)
        self.blocks = nn.Sequential(*(CharacterBlock(dim) for _ in range(BLOCKS)))
        self.score = nn.Linear(dim * length, 1)
        initialise(self)

    def forward(self, lines: Tensor) -> Tensor:
        """Score lines.

        Args:
            lines: Shape `(batch, characters, length)`.

        Returns:
            One real number a line, shape `(batch,)`.
        """
        return cast("Tensor", self.score(self.blocks(self.embed(lines)).flatten(1))).squeeze(1)
