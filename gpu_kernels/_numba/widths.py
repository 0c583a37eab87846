"""Widths of stars by adaptive moments, compiled by numba."""

import math

import numpy as np
from numpy.typing import NDArray

from gpu_kernels._numba import kernel


@kernel
def moment_widths(boxes: NDArray[np.float64], sky: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    """Gaussian widths of the stars in the middle of boxes (n, m, m); NaN where none is found.

    Adaptive moments (Bernstein & Jarvis 2002, AJ 123, 583): the weight is a round
    Gaussian as wide as the star it weighs.
    """
    size = boxes.shape[1]
    half = size // 2
    wx, wy = np.empty(size), np.empty(size)
    for s in range(boxes.shape[0]):
        box, level = boxes[s], sky[s]
        out[s] = math.nan
        cx, cy, var = 0.0, 0.0, 2.25
        for step in range(60):
            for k in range(size):
                wx[k] = math.exp(-0.5 * (k - half - cx) ** 2 / var)
                wy[k] = math.exp(-0.5 * (k - half - cy) ** 2 / var)
            total, sx, sy, sxx, syy = 0.0, 0.0, 0.0, 0.0, 0.0
            for i in range(size):
                for k in range(size):
                    value = (box[i, k] - level) * wx[k] * wy[i]
                    x, y = k - half, i - half
                    total += value
                    sx += value * x
                    sy += value * y
                    sxx += value * x * x
                    syy += value * y * y
            if not total > 0.0:
                break
            mx, my = sx / total, sy / total
            new = sxx / total - mx * mx + syy / total - my * my  # twice the mean of both axes
            cx, cy = cx + 1.4 * (mx - cx), cy + 1.4 * (my - cy)
            new = min(max(new, 0.15), 36.0)
            if abs(cx) > 3.0 or abs(cy) > 3.0:
                break
            if abs(new - var) < 1e-4 * var or step == 59:
                # a pixel adds 1/12 to the variance; the model of the fits integrates over it
                out[s] = math.sqrt(max(new - 1.0 / 12.0, 0.16))
                break
            var += 0.8 * (new - var)
