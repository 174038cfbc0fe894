"""Text as short lines of characters, for language models that generate a line at once."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from gamedyn.gan.data.download import fetch
from gamedyn.gan.data.roots import data_root

URL = "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
FILE = "text/tinyshakespeare.txt"
PADDING, UNKNOWN = "`", "�"
LENGTH, MOST, HELD_OUT_EVERY = 32, 2048, 10


@dataclass(frozen=True)
class TextLines:
    """Lines of one length, as indices into a vocabulary.

    Args:
        name: What the text is, for messages.
        vocabulary: The characters; the first stands for all that are not in it.
        indices: Shape `(lines, length)`, dtype int64.

    Raises:
        ValueError: If there is no line, or an index is outside the vocabulary.

    Example:
        >>> TextLines("two", ("?", "a", "b"), torch.tensor([[1, 2, 2]])).decode()
        ['abb']
    """

    name: str
    vocabulary: tuple[str, ...]
    indices: Tensor

    def __post_init__(self) -> None:
        shape, dtype = tuple(self.indices.shape), self.indices.dtype
        if dtype != torch.int64 or len(shape) != 2 or not self.indices.numel():
            raise ValueError(
                f"{self.name}: lines must be int64 of shape (lines, length), got {dtype} {shape}"
            )
        if not 0 <= int(self.indices.min()) <= int(self.indices.max()) < len(self.vocabulary):
            raise ValueError(f"{self.name}: an index lies outside the {len(self.vocabulary)} characters")

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def shape(self) -> tuple[int, int]:
        """Shape of one line in `batch`, `(characters, length)`."""
        return len(self.vocabulary), self.indices.shape[1]

    def batch(self, which: Tensor) -> Tensor:
        """Give some of the lines as certain characters.

        Args:
            which: Which lines, shape `(batch,)`, dtype int64.

        Returns:
            Ones and zeros of shape `(batch, characters, length)`, dtype float32.
        """
        return functional.one_hot(self.indices[which], len(self.vocabulary)).transpose(1, 2).float()

    def decode(self, probabilities: Tensor | None = None) -> list[str]:
        """Write lines out.

        Args:
            probabilities: Lines as a generator gives them, shape `(lines, characters, length)`, of which each
                place's most probable character is taken; `None` means these lines themselves.

        Returns:
            One string a line, padding included.
        """
        rows = self.indices if probabilities is None else probabilities.argmax(1)
        return ["".join(self.vocabulary[index] for index in row) for row in rows.tolist()]


def text_lines(
    lines: Sequence[str],
    *,
    name: str = "text",
    length: int = LENGTH,
    vocabulary: Sequence[str] | None = None,
    most: int = MOST,
) -> TextLines:
    """Cut lines to one length, and pad shorter ones with backticks.

    Args:
        lines: The text's lines.
        name: What the text is, for messages.
        length: Characters of a line.
        vocabulary: The characters; `None` means the most common ones of these lines after one for all others.
        most: How many, with that one.

    Returns:
        The lines.

    Raises:
        ValueError: If there are no lines, or `length` is not positive.

    Example:
        >>> lines = text_lines(["to be", "or not to be"], length=8)
        >>> lines.decode()
        ['to be```', 'or not t']

    References:
        Gulrajani et al., Improved Training of Wasserstein GANs, 2017, section 5.5; `language_helpers.py` of
        its code.
    """
    if length < 1:
        raise ValueError(f"length must be at least 1, got {length}")
    if not lines:
        raise ValueError(f"{name} has no lines")
    cut = [line[:length].ljust(length, PADDING) for line in lines]
    if vocabulary is None:
        counts = Counter(character for line in cut for character in line)
        # Ties are broken by the character, so that the same lines always have the same vocabulary.
        ranked = sorted(counts, key=lambda character: (-counts[character], character))
        vocabulary = (UNKNOWN, *ranked[: most - 1])
    place = {character: index for index, character in enumerate(vocabulary)}
    return TextLines(
        name,
        tuple(vocabulary),
        torch.tensor([[place.get(character, 0) for character in line] for line in cut]),
    )


def load_text(
    root: str | os.PathLike[str] | None = None,
    split: str = "train",
    *,
    length: int = LENGTH,
    download: bool = True,
) -> TextLines:
    """Load Shakespeare's lines (the file tinyshakespeare of char-rnn), those that are not empty.

    Looked for under the root as `text/tinyshakespeare.txt`; a missing file is fetched there. There is no
    official split: every tenth line is held out, and the vocabulary is that of all the others.

    Args:
        root: The folder that holds `text`; see `data_root` for the default.
        split: `train` (29,500 lines) or `test` (3,277).
        length: Characters of a line.
        download: Whether a missing file may be fetched.

    Returns:
        The lines.

    Raises:
        FileNotFoundError: If the file is missing and could not be fetched.
        ValueError: If the split is unknown, or the file is not text.
    """
    if split not in {"train", "test"}:
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    folder = data_root(root)
    path = folder / FILE
    if not path.is_file():
        reason = "no download was asked for"
        if download:
            try:
                download_text(folder)
            except OSError as error:
                reason = f"the download failed: {error}"
    if not path.is_file():
        raise FileNotFoundError(
            f"no {path} ({reason}); put {URL} there, or name the folder that holds {FILE} with --data-root "
            "or GAMEDYN_DATA"
        )
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}") from error
    held_out = lines[HELD_OUT_EVERY - 1 :: HELD_OUT_EVERY]
    training = [line for index, line in enumerate(lines) if index % HELD_OUT_EVERY != HELD_OUT_EVERY - 1]
    train = text_lines(training, name=f"{path.stem} (train)", length=length)
    if split == "train":
        return train
    return text_lines(held_out, name=f"{path.stem} (test)", length=length, vocabulary=train.vocabulary)


def download_text(root: Path, *, url: str = URL, sha256: str = SHA256) -> Path:
    """Fetch the file; it has its name only once it was found right.

    Args:
        root: The folder to put `text` in; made if missing.
        url: Where it is.
        sha256: Its checksum, in hexadecimal.

    Returns:
        The file.

    Raises:
        OSError: If it cannot be fetched or written.
        ValueError: If its checksum is wrong.
    """
    target = root / FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".text-", dir=root) as scratch:
        path = Path(scratch, target.name)
        found = fetch(url, path, label="text")
        if found != sha256:
            raise ValueError(f"{url} has the wrong checksum: sha256 {found}, expected {sha256}")
        os.replace(path, target)
    return target
