"""The order in which samples are visited, so that a resumed run visits the same ones."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class BatchOrder:
    """Seeded permutations of a data set, handed out a batch at a time.

    Every epoch is a new permutation; what is left of one after its last full batch is dropped, as
    with `DataLoader(shuffle=True, drop_last=True)`. The state is three tensors, so that a run
    that continues from a checkpoint sees exactly the batches that an uninterrupted run sees.

    Args:
        count: Number of samples.
        batch_size: Samples a batch.
        seed: Seed of the permutations.

    Raises:
        ValueError: If a batch is larger than the data set.

    Example:
        >>> order = BatchOrder(4, batch_size=2, seed=0)
        >>> sorted(torch.cat([order.next(), order.next()]).tolist())
        [0, 1, 2, 3]
    """

    def __init__(self, count: int, *, batch_size: int, seed: int) -> None:
        if not 1 <= batch_size <= count:
            raise ValueError(f"batch_size must lie between 1 and the {count} samples, got {batch_size}")
        self.count = count
        self.batch_size = batch_size
        self.generator = torch.Generator().manual_seed(seed)
        self.permutation = torch.randperm(count, generator=self.generator)
        self.position = 0

    def next(self) -> Tensor:
        """Give the next batch of indices.

        Returns:
            Shape `(batch_size,)`, dtype int64.
        """
        if self.position + self.batch_size > self.count:
            self.permutation = torch.randperm(self.count, generator=self.generator)
            self.position = 0
        indices = self.permutation[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        return indices

    def state_dict(self) -> dict[str, Tensor]:
        """Give the state as tensors, to be stored.

        Returns:
            The permutation, the position in it and the random generator's state.
        """
        return {
            "permutation": self.permutation.clone(),
            "position": torch.tensor(self.position),
            "generator": self.generator.get_state(),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a stored state.

        Args:
            state: What `state_dict` gave.

        Raises:
            ValueError: If the state belongs to a data set of another size.
        """
        if len(state["permutation"]) != self.count:
            raise ValueError(
                f"the checkpoint was made with {len(state['permutation'])} samples, "
                f"the data set now has {self.count}"
            )
        self.permutation = state["permutation"].clone()
        self.position = int(state["position"])
        self.generator.set_state(state["generator"])
