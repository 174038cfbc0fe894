"""Text as lines of characters: cutting, vocabulary, files, n-grams, and the networks on them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from gamedyn.gan.data import TextLines, load_text, text_lines
from gamedyn.gan.data import text as text_module
from gamedyn.gan.data.text import download_text
from gamedyn.gan.losses import Wasserstein
from gamedyn.gan.metrics import ngram_divergence
from gamedyn.gan.models import CharacterDiscriminator, CharacterGenerator
from gamedyn.gan.penalties import GradientPenalty


def test_lines_are_cut_padded_and_written_out_again() -> None:
    lines = text_lines(["abcdef", "b", "bb"], length=4)
    assert lines.decode() == ["abcd", "b```", "bb``"]
    # Most common first, equals by the character; before all of them one for the rest.
    assert lines.vocabulary == ("�", "`", "b", "a", "c", "d")
    assert lines.shape == (6, 4)


def test_rare_and_foreign_characters_are_one() -> None:
    lines = text_lines(["aab", "abc"], length=3, most=3)
    assert lines.vocabulary == ("�", "a", "b")
    assert lines.decode() == ["aab", "ab�"]
    assert text_lines(["zab"], length=3, vocabulary=lines.vocabulary).decode() == ["�ab"]


def test_a_batch_is_certain_of_its_characters() -> None:
    lines = text_lines(["ab", "ba", "bb"], length=2)
    batch = lines.batch(torch.tensor([2, 0]))
    assert batch.shape == (2, *lines.shape)
    assert batch.dtype == torch.float32
    assert torch.equal(batch.sum(1), torch.ones(2, 2))
    assert lines.decode(batch) == ["bb", "ab"]


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: text_lines([]), "no lines"),
        (lambda: text_lines(["a"], length=0), "length must be at least 1, got 0"),
        (lambda: TextLines("x", ("a",), torch.tensor([[1]])), "outside the 1 characters"),
        (
            lambda: TextLines("x", ("a",), torch.zeros(2, 0, dtype=torch.int64)),
            r"int64 of shape \(lines, length\)",
        ),
        (lambda: TextLines("x", ("a",), torch.zeros(2, 2)), "got torch.float32"),
    ],
)
def test_what_is_no_text_is_refused(build: object, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        build()  # type: ignore[operator]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "text").mkdir()
    lines = [f"{number:02d} of 9" for number in range(40)]
    (tmp_path / "text" / "tinyshakespeare.txt").write_text("\n\n".join(lines), encoding="utf-8")
    return tmp_path


def test_every_tenth_line_is_held_out_and_read_by_the_others_vocabulary(root: Path) -> None:
    train, held_out = (load_text(root, split, length=8) for split in ("train", "test"))
    assert held_out.decode() == ["09 of 9`", "19 of 9`", "29 of 9`", "39 of 9`"]
    assert len(train) == 36
    assert not set(train.decode()) & set(held_out.decode())
    assert held_out.vocabulary == train.vocabulary
    assert len(load_text(root).decode()[0]) == 32


def test_missing_and_damaged_files_are_named(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match=r"no download was asked for.*--data-root"):
        load_text(tmp_path / "nowhere", download=False)
    monkeypatch.setattr(text_module, "URL", "file:///nowhere/at/all.txt")
    monkeypatch.setattr(download_text, "__kwdefaults__", {"url": "file:///nowhere/at/all.txt", "sha256": ""})
    with pytest.raises(FileNotFoundError, match="the download failed"):
        load_text(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="'train' or 'test', got 'valid'"):
        load_text(root, "valid")
    (root / "text" / "tinyshakespeare.txt").write_bytes(b"\xff\xfe\x00bad")
    with pytest.raises(ValueError, match=r"tinyshakespeare\.txt is not text in UTF-8"):
        load_text(root)


def test_a_download_has_its_name_only_when_it_is_right(tmp_path: Path) -> None:
    content = b"to be\nor not\n"
    source = tmp_path / "source.txt"
    source.write_bytes(content)
    target = tmp_path / "cache"
    with pytest.raises(ValueError, match="wrong checksum"):
        download_text(target, url=source.as_uri(), sha256="0" * 64)
    assert [path for path in target.rglob("*") if path.is_file()] == []
    path = download_text(target, url=source.as_uri(), sha256=hashlib.sha256(content).hexdigest())
    assert path.read_bytes() == content
    assert load_text(target, length=6, download=False).decode() == ["to be`", "or not"]


@pytest.mark.parametrize("n", [1, 2, 3])
def test_the_divergence_is_scipys(n: int) -> None:
    rng = np.random.default_rng(n)
    left, right = (
        ["".join(rng.choice(list("abc"), 9, p=p)) for _ in range(30)]
        for p in ([0.2, 0.3, 0.5], [0.6, 0.3, 0.1])
    )
    pieces = sorted({line[i : i + n] for line in left + right for i in range(10 - n)})
    counts = [
        [sum(line[i : i + n] == piece for line in side for i in range(10 - n)) for piece in pieces]
        for side in (left, right)
    ]
    assert ngram_divergence(left, right, n) == pytest.approx(jensenshannon(*counts, base=2) ** 2, abs=1e-12)
    assert ngram_divergence(left, right, n) == pytest.approx(ngram_divergence(right, left, n), abs=1e-12)


def test_pieces_that_cannot_be_counted_are_refused() -> None:
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        ngram_divergence(["a"], ["a"], 0)
    with pytest.raises(ValueError, match="no line of 3 characters"):
        ngram_divergence(["abc"], ["ab"], 3)


def test_the_networks_have_the_papers_sizes_and_weights() -> None:
    torch.manual_seed(0)
    generator, critic = CharacterGenerator(50, 32), CharacterDiscriminator(50, 32)
    block = 2 * (512 * 512 * 5 + 512)
    assert sum(p.numel() for p in generator.parameters()) == 129 * 512 * 32 + 5 * block + 513 * 50
    assert sum(p.numel() for p in critic.parameters()) == 51 * 512 + 5 * block + 512 * 32 + 1
    # tflib: 4 / (fan in + fan out) for convolutions.
    weight = generator.blocks[0].branch[1].weight.detach()
    assert float(weight.var()) == pytest.approx(4 / (2 * 512 * 5), rel=0.02)


def test_a_penalty_on_lines_trains_the_critic_and_the_score_is_of_one_line() -> None:
    torch.manual_seed(0)
    generator, critic = CharacterGenerator(5, 8, dim=4, latent=6), CharacterDiscriminator(5, 8, dim=4)
    real = text_lines(["abcd", "ab"] * 2, length=8).batch(torch.arange(4))
    real = torch.nn.functional.pad(real, (0, 0, 0, 5 - real.shape[1])) if real.shape[1] < 5 else real[:, :5]
    fake = generator(torch.randn(4, 6))
    loss = Wasserstein().discriminator(critic(real), critic(fake.detach())) + GradientPenalty()(
        critic, real, fake
    )
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in critic.parameters())
    torch.testing.assert_close(critic(real)[1:2], critic(real[1:2]))
