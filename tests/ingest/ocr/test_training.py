"""Training: rendered glyphs alone, the same weights from the same seed, and a network that learns."""

from pathlib import Path

import numpy as np

from ingest.ocr.network import CLASSES, STRIDE, Network
from tests.requirements import require

require("ocr")

from ingest.ocr.training.glyphs import COLUMNS, DIGITS, ROWS, any_face  # noqa: E402  # after the check
from ingest.ocr.training.lines import IGNORED, any_sample, any_text  # noqa: E402


def test_glyphs_fill_their_box_and_differ() -> None:
    rng = np.random.default_rng(0)
    for _ in range(12):
        face = any_face(rng)
        drawn = [face.draw(sign) for sign in DIGITS + face.others]
        assert all(ink.shape == (ROWS, COLUMNS) and ink.max() > 0.9 for ink in drawn)
        assert all(0.03 < ink.mean() < 0.8 for ink in drawn)
        digits = np.stack(drawn[:10])
        apart = np.abs(digits[:, None] - digits[None]).mean(axis=(2, 3)) + np.eye(10)
        assert apart.min() > 0.01


def test_texts_hold_known_signs() -> None:
    rng = np.random.default_rng(1)
    for cells in (1, 12, 40):
        text = any_text(rng, cells)
        assert len(text) == cells
        assert set(text) <= set(CLASSES[1:] + " ")


def test_targets_name_the_signs_in_their_order() -> None:
    rng = np.random.default_rng(2)
    face = any_face(rng)
    for _ in range(20):
        sample = any_sample(rng, face, 160)
        assert sample.picture.shape == (16, 160)
        assert sample.target.shape == (160 // STRIDE,)
        assert sample.target.min() >= IGNORED
        assert sample.target.max() < len(CLASSES)
        assert (sample.target == 0).any()


def test_the_same_seed_gives_the_same_weights(tmp_path: Path) -> None:
    from ingest.ocr.training.fit import save, train  # torch takes seconds to import

    lines: list[str] = []
    first, second = (train(lines.append, steps=3, faces=3, batch=4, seed=9) for _ in range(2))
    other = train(lines.append, steps=3, faces=3, batch=4, seed=10)
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert not all(np.array_equal(first[name], other[name]) for name in first)
    save(first, tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz") as held:
        network = Network({name: held[name] for name in held.files})
    assert network.columns(np.zeros((1, 16, 32), np.uint8)).shape == (1, 16, len(CLASSES))


def test_it_learns() -> None:
    from ingest.ocr.training.fit import train

    lines: list[str] = []
    train(lines.append, steps=100, faces=1, batch=4)
    assert len(lines) == 1
    assert float(lines[0].split()[-1]) < 2.45  # of 2.64 by chance; weighed over fifty steps
