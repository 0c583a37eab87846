"""The forward pass against loops, its text, and the weights that are shipped."""

from importlib.resources import files

import numpy as np
import pytest

from ingest.ocr.network import CLASSES, LAYERS, STRIDE, WEIGHTS, Network, read_weights, recogniser, texts


def slow(weights: dict[str, np.ndarray], picture: np.ndarray) -> np.ndarray:
    """Log-probabilities ``(columns, classes)`` of one picture, by the definition of each layer."""
    x = picture[None].astype(float) / 255
    for k, layer in enumerate(LAYERS):
        kernel, offset = weights[f"kernel{k}"].astype(float), weights[f"offset{k}"].astype(float)
        high, wide = layer.kernel
        up = high // 2 if layer.same_rows else 0
        padded = np.pad(x, ((0, 0), (up, up), (wide // 2, wide // 2)))
        rows, columns = padded.shape[1] - high + 1, padded.shape[2] - wide + 1
        y = np.zeros((layer.outputs, rows, columns))
        for i in range(rows):
            for j in range(columns):
                y[:, i, j] = np.tensordot(kernel, padded[:, i : i + high, j : j + wide], 3)
        a, b = layer.pool
        y = y[:, : rows // a * a, : columns // b * b]
        y = y.reshape(layer.outputs, rows // a, a, columns // b, b).max(axis=(2, 4)) + offset[:, None, None]
        x = np.maximum(y, 0) if layer.rectified else y
    logits = x[:, 0].T
    return np.asarray(logits - np.log(np.exp(logits).sum(axis=1, keepdims=True)))


def test_agrees_with_loops() -> None:
    rng = np.random.default_rng(1)
    weights = {
        f"kernel{k}": rng.normal(0, 0.3, (c.outputs, c.inputs, *c.kernel)).astype(np.float32)
        for k, c in enumerate(LAYERS)
    }
    weights |= {f"offset{k}": rng.normal(0, 0.3, c.outputs).astype(np.float32) for k, c in enumerate(LAYERS)}
    pictures = rng.integers(0, 255, (3, 16, 32)).astype(np.uint8)
    found = Network(weights).columns(pictures)
    for picture, columns in zip(pictures, found, strict=True):
        np.testing.assert_allclose(columns, slow(weights, picture), atol=2e-4)


def test_does_not_depend_on_how_many_lines_are_read_together() -> None:
    pictures = np.random.default_rng(2).integers(0, 255, (19, 16, 64)).astype(np.uint8)
    network = recogniser()
    together = network.columns(pictures)
    for k in (0, 7, 8, 18):
        np.testing.assert_allclose(network.columns(pictures[k : k + 1])[0], together[k], atol=1e-4)


def test_text_leaves_out_gaps_and_repeats() -> None:
    line = "--112--22::--0"
    columns = np.full((1, len(line), len(CLASSES)), -9.0, np.float32)
    for k, sign in enumerate(line):
        columns[0, k, CLASSES.index(sign)] = 0.0
    assert texts(columns) == ["122:0"]


def test_refuses_pictures_of_another_height() -> None:
    with pytest.raises(ValueError, match="even width"):
        recogniser().columns(np.zeros((1, 20, 32), np.uint8))


def test_weights_are_small_and_fit() -> None:
    assert len(files("ingest.ocr").joinpath(WEIGHTS).read_bytes()) < 500_000
    weights = read_weights()
    assert all(np.isfinite(array).all() for array in weights.values())
    assert recogniser().columns(np.zeros((1, 16, 32), np.uint8)).shape == (1, 32 // STRIDE, len(CLASSES))
