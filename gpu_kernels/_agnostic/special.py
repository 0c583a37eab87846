"""The error function, which the array API standard lacks."""

from typing import Any

from gpu_kernels.device import Array

_SMALL_TOP = (
    1.85777706184603153e-1, 3.16112374387056560e0, 1.13864154151050156e2, 3.77485237685302021e2,
    3.20937758913846947e3,
)  # fmt: skip
_SMALL_BOTTOM = (
    1.0,
    2.36012909523441209e1,
    2.44024637934444173e2,
    1.28261652607737228e3,
    2.84423683343917062e3,
)
_LARGE_TOP = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
    2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
    1.23033935479799725e3,
)  # fmt: skip
_LARGE_BOTTOM = (
    1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
    3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3,
)  # fmt: skip


def erf(x: Array, xp: Any) -> Array:
    """Error function, to 5e-16.

    Rational Chebyshev approximations of Cody (1969, Math. Comp. 23, 631).
    """
    size = xp.abs(x)
    square = xp.minimum(size, 0.5) ** 2
    small = x * _ratio(square, _SMALL_TOP, _SMALL_BOTTOM)
    held = xp.clip(size, 0.4, 6.0)
    large = 1.0 - xp.exp(-held * held) * _ratio(held, _LARGE_TOP, _LARGE_BOTTOM)
    return xp.where(size <= 0.46875, small, xp.sign(x) * large)


def _ratio(x: Array, top: tuple[float, ...], bottom: tuple[float, ...]) -> Array:
    above, below = top[0], bottom[0]
    for a, b in zip(top[1:], bottom[1:], strict=True):
        above, below = above * x + a, below * x + b
    return above / below
