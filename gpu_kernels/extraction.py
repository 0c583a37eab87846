"""Fluxes by weights rather than by circles: optimal extraction, simultaneous fits, masks.

Every (frame, star), or group of stars, is computed from its own pixels alone and in a fixed order: results
are equal bit for bit however frames are grouped into blocks.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpu_kernels._agnostic import extraction as _elsewhere
from gpu_kernels._agnostic import masks as _elsewhere_masks
from gpu_kernels._cuda import photometry as _cuda
from gpu_kernels._numba.extraction import normal_table, star_profile, weighted_block, widths_block
from gpu_kernels._numba.mask import blob_block, footprint_block
from gpu_kernels._numba.psf_fit import fit_block
from gpu_kernels.device import namespace, on_cuda, on_host, read_only, to_device, to_host

Floats = NDArray[np.float64]

_TABLE = normal_table()
_BLOB_SMOOTHING = np.array([0.25, 0.5, 0.25])


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A star's image as a sum of concentric Gaussians, integrated over pixels.

    Attributes
    ----------
    terms : array, (k, 3)
        Of each Gaussian: share of the light (they sum to 1), sigma in x and in y, pixels.
    """

    terms: Floats

    @property
    def fwhm(self) -> float:
        """Full width at half maximum before integration over pixels, mean of both axes, pixels."""
        share, sx, sy = self.terms.T
        radii = np.linspace(0.0, 4.0, 2001) * float(np.sqrt((sx * sy).max()))
        across = np.exp(-0.5 * radii[:, None] ** 2 / (sx * sy)[None, :]) @ (share / (sx * sy))
        return 2.0 * float(np.interp(-0.5 * across[0], -across, radii))

    def scaled(self, factor: float) -> "Profile":
        """The same shape, `factor` times as wide."""
        return Profile(self.terms * np.array([1.0, factor, factor]))

    def image(self, x: float, y: float, shape: tuple[int, int]) -> Floats:
        """Light of a star of unit flux at `x`, `y` in the pixels of an image of `shape` (height, width)."""
        height, width = shape
        out = np.empty(shape)
        place = float(x), float(y)  # of integers numba would compile another copy
        star_profile(
            *place, 0, 0, height, width, self.terms, 1.0, _TABLE[0], np.empty(width), np.empty(height), out
        )
        return out


def gaussian(sigma: float) -> Profile:
    """A round Gaussian of width `sigma`, pixels."""
    return Profile(np.array([[1.0, sigma, sigma]]))


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """Weighted fluxes, ``(n, s)``; NaN where there is none.

    The variance of a flux in a sky of variance v a pixel, its level known from N pixels, is
    ``v (squares + area^2 / N) + light flux / gain``.

    Attributes
    ----------
    flux : array
        In units of the pixels.
    area : array, pixels
        Sum of the weights: what the sky level's error is multiplied by.
    squares : array, pixels
        Sum of their squares.
    light : array
        Photon noise of the flux over that of the star's own photons.
    share : array
        Part of the weighted light that fell on pixels that are there, 0 to 1.
    peak : array
        Largest pixel within the radius.
    """

    flux: Floats
    area: Floats
    squares: Floats
    light: Floats
    share: Floats
    peak: Floats


def optimal_sums(
    frames: NDArray[Any],
    x: ArrayLike,
    y: ArrayLike,
    sky: ArrayLike,
    profile: Profile,
    radius: float,
    softening: float = 0.0,
    scales: ArrayLike | None = None,
) -> Extracted:
    """Fluxes at given places, weighted by a profile (Naylor 1998, MNRAS 296, 339).

    The flux is ``sum W (D - sky) / sum W P`` with P the profile and ``W = P / (1 + softening P)`` inside the
    radius (the pixels on the rim by how far they reach in). With `softening` 0 these are the weights for
    a star much fainter than the sky; with ``flux / (gain v)``, v the variance of a sky pixel, those for a
    star of that flux. All stars of a frame have the same weights, so a profile that is not quite theirs
    changes all fluxes by one factor, which a ratio of two stars does not see; weights for each star's
    own flux would change bright and faint stars differently (Naylor 1998, section 2.3).

    Parameters
    ----------
    frames : array, (n, height, width)
        Pixels off the frame or not finite are left out of both sums.
    x, y : array, (n, s), pixels
    sky : array, (n, s)
        Level of the sky.
    profile : Profile
    radius : float, pixels
    softening : float
        Pixels' worth by which bright pixels count less.
    scales : array, (n,), optional
        Width of each frame's profile, and of its radius, as a factor.

    Raises
    ------
    ValueError
        Shapes do not match, or the radius is not positive.
    """
    # places go to a CUDA device with the kernel: until then they are looked at here
    near = np.broadcast_to(0.0, frames.shape) if on_cuda(frames) else frames
    columns, rows, level = _places(near, x, y, sky)
    width = _scales(scales, near)
    if not (radius > 0.0 and softening >= 0.0):
        raise ValueError(
            f"radius {radius} px and softening {softening}: positive, and not negative, are needed"
        )
    if on_cuda(frames):
        there = _cuda.optimal_sums(
            frames, columns, rows, level, width, profile.terms, float(softening), float(radius)
        )
        return Extracted(*_columns(there))
    if not on_host(frames):
        shape = (profile.terms, float(softening), float(radius))
        return Extracted(*_columns(_elsewhere.optimal_sums(frames, columns, rows, level, width, *shape)))
    out = np.empty((*columns.shape, 6))
    weighted_block(
        read_only(frames), columns, rows, level, width, profile.terms, float(softening),
        float(radius), _TABLE[0], out,
    )  # fmt: skip
    return Extracted(*_columns(out))


def frame_widths(
    frames: NDArray[Any],
    x: ArrayLike,
    y: ArrayLike,
    sky: ArrayLike,
    profile: Profile,
    radius: float,
    variance: float,
    inv_gain: float = 0.0,
    spread: float = 1.0,
) -> tuple[Floats, Floats]:
    """Width of each frame's stars over that of the profile, from the given stars together.

    Parameters
    ----------
    frames, x, y, sky, profile, radius
        As for `optimal_sums`; stars that leave the frame are left out.
    variance, inv_gain : float
        Variance of a sky pixel, and what a unit of light adds to it.
    spread : float
        Expected rms of the logarithm of the factor; frames whose stars tell less stay near 1.

    Returns
    -------
    factor, error : array, (n,)
        Error of the logarithm, without what `spread` tells; infinite where no star shows.
    """
    columns, rows, level = _places(frames, x, y, sky)
    if not (variance > 0.0 and spread > 0.0 and radius > 0.0):
        raise ValueError(f"variance {variance}, spread {spread}, radius {radius}: all must be positive")
    if not on_host(frames):
        return _elsewhere.frame_widths(
            frames, columns, rows, level, profile.terms, variance, inv_gain, spread, radius
        )
    out = np.empty((len(frames), 2))
    widths_block(
        read_only(frames), columns, rows, level, profile.terms, float(variance), float(inv_gain),
        float(spread), float(radius), _TABLE, out,
    )  # fmt: skip
    return out[:, 0].copy(), out[:, 1].copy()


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """Fluxes of stars fitted together, ``(n, s)``: flux, variance, local sky, share seen, peak."""

    flux: Floats
    variance: Floats
    sky: Floats
    share: Floats
    peak: Floats


def fit_groups(
    frames: NDArray[Any],
    x: ArrayLike,
    y: ArrayLike,
    sky: ArrayLike,
    sky_count: ArrayLike,
    pixel_variance: ArrayLike,
    inv_gain: float,
    groups: NDArray[np.int64],
    profile: Profile,
    radius: float,
    softening: float = 0.0,
    scales: ArrayLike | None = None,
) -> Fitted:
    """Fluxes of close stars by weighted linear least squares, places given, a local sky free.

    A group's fluxes and sky minimise ``sum w (D - sky - sum f_k P_k)^2`` over the pixels within the radius of
    any of its stars, ``w = 1 / (1 + softening sum P_k)``, with the annulus' level as one more measurement of
    the sky. The weights do not depend on the data, so fluxes are linear in it and unbiased; the
    variance is ``N^-1 M N^-1`` with N the normal matrix and M that of the fitted model's noise.

    Parameters
    ----------
    frames, x, y, sky, profile, radius, softening, scales
        As for `optimal_sums`.
    sky_count : array, (n, s)
        Pixels behind `sky`.
    pixel_variance : array, (n, s)
        Of a sky pixel.
    inv_gain : float
        What a unit of light adds to it.
    groups : array, (g, m), int64
        Stars fitted together, -1 after the last; the first star's sky is taken. Stars in no group stay NaN.

    Raises
    ------
    ValueError
        Shapes do not match, or a group names a star that is not there.
    """
    columns, rows, level = _places(frames, x, y, sky)
    count, pixel = _spread(sky_count, columns), _spread(pixel_variance, columns)
    members = np.ascontiguousarray(groups, np.int64)
    if members.ndim != 2 or (members >= columns.shape[1]).any():
        raise ValueError(
            f"groups of shape {members.shape} for {columns.shape[1]} stars: (g, m) below that needed"
        )
    width = _scales(scales, frames)
    if not on_host(frames):
        fit = _elsewhere.fit_groups(
            frames, columns, rows, level, count, pixel, float(inv_gain), members, width, profile.terms,
            float(softening), float(radius),
        )  # fmt: skip
        return Fitted(*_columns(fit))
    out = np.full((*columns.shape, 5), np.nan)
    fit_block(
        read_only(frames), columns, rows, level, count, pixel, float(inv_gain), members,
        width, profile.terms, float(softening), float(radius), _TABLE[0], out,
    )  # fmt: skip
    return Fitted(*_columns(out))


@dataclass(frozen=True, slots=True, eq=False)
class Masked:
    """Sums over whole pixels less the sky, ``(n, s)``: `pixels` counted, `share` of those wanted, `found`.

    `found` tells where the star's own blob was summed rather than the fixed footprint.
    """

    flux: Floats
    pixels: Floats
    share: Floats
    peak: Floats
    found: NDArray[np.bool_]


def static_mask_sums(
    frames: NDArray[Any], x: ArrayLike, y: ArrayLike, sky: ArrayLike, footprint: NDArray[np.bool_]
) -> Masked:
    """Sum a fixed set of pixels about each star, shifted by whole pixels.

    Parameters
    ----------
    frames, x, y, sky
        As for `optimal_sums`.
    footprint : array, (m, m), bool
        Pixels to sum about the one that holds the star; m is odd.
    """
    columns, rows, level = _places(frames, x, y, sky)
    if not on_host(frames):
        return _masked(_elsewhere_masks.footprint_sums(frames, columns, rows, level, _odd(footprint)))
    out = np.empty((*columns.shape, 5))
    footprint_block(read_only(frames), columns, rows, level, _odd(footprint), out)
    return _masked(out)


def dynamic_mask_sums(
    frames: NDArray[Any],
    x: ArrayLike,
    y: ArrayLike,
    sky: ArrayLike,
    thresholds: ArrayLike,
    footprint: NDArray[np.bool_],
    snap: int = 1,
    least: int = 5,
) -> Masked:
    """Sum each star's own blob of bright pixels, found anew on every frame (PyMovie's "snap to blob").

    The box about the star, as wide as the footprint and two pixels to each side, is smoothed by (1, 2, 1)
    both ways; the blob is what exceeds the threshold and hangs together, by the pixels' sides,
    with the brightest pixel within `snap` of the star. A star that has vanished has no blob: the footprint is
    then summed where the star must be, or the mask would jump to the noise.

    Parameters
    ----------
    frames, x, y, sky, footprint
        As for `static_mask_sums`.
    thresholds : array, (n, s)
        Above the sky, of the smoothed frame (whose noise is 0.375 of a pixel's).
    snap : int, pixels
    least : int
        Fewest pixels of a blob.
    """
    columns, rows, level = _places(frames, x, y, sky)
    limit = _spread(thresholds, columns)
    mask = _odd(footprint)
    half = mask.shape[0] // 2 + 2
    if not 0 <= snap <= half:
        raise ValueError(f"snap of {snap} px: 0 to {half} px fit the box")
    if not on_host(frames):
        return _masked(
            _elsewhere_masks.blob_sums(frames, columns, rows, level, limit, half, snap, least, mask)
        )
    out = np.empty((*columns.shape, 5))
    blob_block(
        read_only(frames),
        columns,
        rows,
        level,
        limit,
        _BLOB_SMOOTHING,
        half,
        snap,
        least,
        mask,
        out,
    )
    return _masked(out)


def _columns(out: Any) -> list[Any]:
    """The last axis as a list."""
    return [out[..., k] for k in range(out.shape[-1])]


def _masked(out: Any) -> Masked:
    flux, pixels, share, peak, found = _columns(out)
    return Masked(flux, pixels, share, peak, found == 1.0)


def _odd(footprint: NDArray[np.bool_]) -> NDArray[np.bool_]:
    mask = np.ascontiguousarray(footprint, bool)
    if mask.ndim != 2 or mask.shape[0] != mask.shape[1] or mask.shape[0] % 2 == 0:
        raise ValueError(f"footprint of shape {mask.shape}: a square of an odd number of pixels is needed")
    return mask


def _scales(scales: ArrayLike | None, frames: Any) -> Any:
    out = _there(np.ones(frames.shape[0]) if scales is None else scales, frames)
    if out.shape != (frames.shape[0],) or not bool(namespace(out).all(out > 0.0)):
        raise ValueError(
            f"scales of shape {out.shape} for {frames.shape[0]} frames: (n,), all positive, are needed"
        )
    return out


def _there(values: ArrayLike, like: Any) -> Any:
    """Numbers as float64 where `like` is, in order of rows."""
    if on_host(like):
        return np.ascontiguousarray(to_host(values), np.float64)
    xp = namespace(like)
    return xp.astype(to_device(values, like) if on_host(values) else values, xp.float64)


def _spread(values: ArrayLike, columns: Any) -> Any:
    """A number or array for every star."""
    there = _there(values, columns)
    whole = namespace(columns).broadcast_to(there, columns.shape)
    return np.ascontiguousarray(whole) if on_host(columns) else whole


def _places(
    frames: NDArray[Any], x: ArrayLike, y: ArrayLike, sky: ArrayLike
) -> tuple[Floats, Floats, Floats]:
    columns, rows, level = (_there(part, frames) for part in (x, y, sky))
    fits = columns.ndim == 2 and columns.shape == rows.shape == level.shape
    fits = fits and columns.shape[0] == frames.shape[0]
    if frames.ndim != 3 or not fits:
        raise ValueError(
            f"frames of shape {frames.shape}, places {columns.shape} and {rows.shape}, sky {level.shape}: "
            "(n, height, width) and (n, s) are needed"
        )
    return columns, rows, level
