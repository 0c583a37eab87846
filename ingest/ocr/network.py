"""The recogniser's forward pass in NumPy: a picture of a line to the class of each column.

A convolutional network of some forty thousand weights, trained by `ingest.ocr.training` on rendered
glyphs; its weights lie beside this file. The same network is run by EasyOCR, see `ingest.ocr.easyocr_path`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.crop import HEIGHT

CLASSES = "-0123456789:.#"
"""``-`` stands between signs, ``#`` for signs that are no part of a time."""

STRIDE = 2
"""Columns of the picture to one of the output."""

WEIGHTS = "weights.npz"
TOGETHER = 8
"""Pictures at a time: what passes between the layers stays in the cache."""

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Layer:
    """A convolution: rows and columns of its kernel, whether rows are padded, and the pooling after it."""

    inputs: int
    outputs: int
    kernel: tuple[int, int]
    same_rows: bool
    pool: tuple[int, int]
    rectified: bool = True


LAYERS = (
    Layer(1, 12, (3, 3), True, (2, 2)),
    Layer(12, 24, (3, 3), True, (2, 1)),
    Layer(24, 32, (3, 3), True, (2, 1)),
    Layer(32, 64, (2, 3), False, (1, 1)),
    Layer(64, 64, (1, 5), True, (1, 1)),
    Layer(64, len(CLASSES), (1, 1), True, (1, 1), rectified=False),
)


class Recogniser(Protocol):
    """What reads pictures: `Network`, or EasyOCR with the same network."""

    def columns(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Log-probability of each class at each column, ``(n, width // 2, 14)``."""
        ...


class Network:
    """The recogniser with its weights: kernels ``(out, in, rows, columns)`` and offsets ``(out,)``."""

    def __init__(self, weights: Mapping[str, NDArray[np.float32]]) -> None:
        self._kernels = [
            np.ascontiguousarray(weights[f"kernel{k}"].astype(np.float32).reshape(layer.outputs, -1))
            for k, layer in enumerate(LAYERS)
        ]
        self._offsets = [weights[f"offset{k}"].astype(np.float32)[:, None] for k in range(len(LAYERS))]

    def columns(self, pictures: NDArray[np.uint8]) -> Floats:
        """Log-probability of each class at each column.

        Parameters
        ----------
        pictures : array, (n, 16, width), uint8
            From `ingest.ocr.crop.normalise`.

        Returns
        -------
        array, (n, width // 2, 14), float32
        """
        if pictures.ndim != 3 or pictures.shape[1] != HEIGHT or pictures.shape[2] % STRIDE:
            raise ValueError(f"pictures of a line are (n, {HEIGHT}, even width), got {pictures.shape}")
        out = np.empty((pictures.shape[0], pictures.shape[2] // STRIDE, len(CLASSES)), np.float32)
        for first in range(0, pictures.shape[0], TOGETHER):
            out[first : first + TOGETHER] = self._forward(pictures[first : first + TOGETHER])
        return out

    def _forward(self, pictures: NDArray[np.uint8]) -> Floats:
        x = pictures.astype(np.float32)[None] * np.float32(1.0 / 255.0)  # (channel, n, row, column)
        for layer, kernel, offset in zip(LAYERS, self._kernels, self._offsets, strict=True):
            x = _pooled(_convolved(x, layer, kernel), layer.pool)
            x += offset[:, :, None, None]
            if layer.rectified:
                np.maximum(x, 0.0, out=x)
        logits = np.ascontiguousarray(np.moveaxis(x[:, :, 0], 0, 2))
        return log_softmax(logits)


def _convolved(x: Floats, layer: Layer, kernel: Floats) -> Floats:
    """Convolution without offset, ``(out, n, rows, columns)``; columns are padded with zeros."""
    high, wide = layer.kernel
    if (high, wide) == (1, 1):
        return np.asarray(np.matmul(kernel, x.reshape(layer.inputs, -1)).reshape(-1, *x.shape[1:]))
    up, side = (high // 2 if layer.same_rows else 0), wide // 2
    padded = np.pad(x, ((0, 0), (0, 0), (up, up), (side, side)))
    channels, n, rows, columns = padded.shape
    rows, columns = rows - high + 1, columns - wide + 1
    patches = np.empty((channels, high, wide, n, rows, columns), np.float32)
    for i in range(high):
        for j in range(wide):
            patches[:, i, j] = padded[:, :, i : i + rows, j : j + columns]
    product = np.matmul(kernel, patches.reshape(kernel.shape[1], -1))
    return np.asarray(product.reshape(-1, n, rows, columns))


def _pooled(x: Floats, pool: tuple[int, int]) -> Floats:
    """Largest of each block of rows and columns."""
    if pool[0] == 2:
        x = np.maximum(x[:, :, 0::2], x[:, :, 1::2])
    if pool[1] == 2:
        x = np.maximum(x[:, :, :, 0::2], x[:, :, :, 1::2])
    return x


def log_softmax(logits: Floats) -> Floats:
    """Logarithm of the softmax along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)), np.float32)


def texts(columns: Floats) -> list[str]:
    """The signs of each line: the likeliest class of each column, repeats and gaps left out.

    Parameters
    ----------
    columns : array, (n, columns, classes)
        From `Network.columns`.
    """
    best = columns.argmax(axis=2)
    fresh = np.ones(best.shape, np.bool_)
    fresh[:, 1:] = best[:, 1:] != best[:, :-1]
    keep = fresh & (best != 0)
    return ["".join(CLASSES[c] for c in line[k]) for line, k in zip(best, keep, strict=True)]


def read_weights() -> dict[str, NDArray[np.float32]]:
    """Weights as they were shipped."""
    with files("ingest.ocr").joinpath(WEIGHTS).open("rb") as file, np.load(file) as held:
        return {name: held[name].astype(np.float32) for name in held.files}


@cache
def recogniser() -> Network:
    """The recogniser that is shipped."""
    return Network(read_weights())
