"""A plate solution: which place of the sky a pixel of one frame shows, and how sure that is."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.transforms import Transform
from reduction.astrometry.plane import from_plane, to_plane
from reduction.errors import DataError

Floats = NDArray[np.float64]
NEWTON_STEPS = 30
MODELS = ("similarity", "affine", "order 2", "order 3")
FORM = "umbra-sky-1"
"""The form of `as_json`; the number rises when a field changes its meaning."""


def orders(degree: int) -> list[tuple[int, int]]:
    """Exponents of x and y of all terms up to a degree."""
    return [(d - j, j) for d in range(degree + 1) for j in range(d + 1)]


def terms(u: Any, v: Any, degree: int) -> Floats:
    """Values of all terms, ``(..., n_term)``."""
    u, v = np.asarray(u, np.float64), np.asarray(v, np.float64)
    return np.stack([u**i * v**j for i, j in orders(degree)], axis=-1)


@dataclass(frozen=True, slots=True, eq=False)
class SkySolution:
    """Tangent plane coordinates of a frame's pixels, as polynomials.

    Pixels are full-frame, x to the right and y downwards, centres at integers, the first 0,0.
    xi + i eta = sum of c_k u^i v^j over `orders`, with u = (x - x0) / unit_px and v = (y - y0) / unit_px.

    Attributes
    ----------
    frame : int
        The frame on which it holds: the field drifts.
    width, height : int
        Of the frames, pixels.
    ra_deg, dec_deg : float
        Where the plane touches the sky, ICRS, degrees: the place of pixel x0, y0.
    x0, y0, unit_px : float
        Origin and unit of u and v, pixels.
    xi, eta : array, (n_term,)
        Coefficients, degrees; the constant ones are 0.
    covariance : array, (n_term, n_term)
        Of either axis' coefficients, degrees squared.
    model : str
        One of `MODELS`.
    stars : int
        Stars it was fitted to.
    rms_px : float
        Root mean square of the residuals, each axis, pixels.
    scatter_px : float
        What a star's place scatters beyond the error of its centroid, each axis, pixels.
    chi2 : float
        Reduced chi-square of the fit with the centroids' errors alone.
    log_odds : float
        Natural logarithm of the odds against a chance match, all places tried considered; NaN: unknown.
    epoch : float or None
        Julian year of the stars' positions.
    method, catalogue : str
        What found it; which stars.
    pixel_digest : str
        Of the recording, where it is known; else empty.
    sigma_known : bool
        False: it comes from another program and `covariance` is an assumption.
    """

    frame: int
    width: int
    height: int
    ra_deg: float
    dec_deg: float
    x0: float
    y0: float
    unit_px: float
    xi: Floats
    eta: Floats
    covariance: Floats
    model: str = "affine"
    stars: int = 0
    rms_px: float = float("nan")
    scatter_px: float = 0.0
    chi2: float = float("nan")
    log_odds: float = float("nan")
    epoch: float | None = None
    method: str = ""
    catalogue: str = ""
    pixel_digest: str = ""
    sigma_known: bool = True

    @property
    def degree(self) -> int:
        """Of the polynomials."""
        return {3: 1, 6: 2, 10: 3, 15: 4, 21: 5}[self.xi.size]

    @property
    def matrix(self) -> Floats:
        """Derivative of (xi, eta) by (x, y) at x0, y0, degrees per pixel: the CD matrix of FITS."""
        return np.array([self.xi[1:3], self.eta[1:3]]) / self.unit_px

    @property
    def scale_arcsec(self) -> float:
        """Pixel scale: the root of a pixel's area, seconds of arc."""
        return float(3600.0 * np.sqrt(abs(np.linalg.det(self.matrix))))

    @property
    def mirrored(self) -> bool:
        """Whether east lies clockwise from north on the frame as it is shown (y downwards)."""
        return bool(np.linalg.det(self.matrix) < 0)

    @property
    def up_deg(self) -> float:
        """Position angle of the frame's upward direction, degrees from north through east, 0 to 360."""
        east, north = -self.matrix[:, 1]
        return float(np.degrees(np.arctan2(east, north)) % 360.0)

    @property
    def false_match_probability(self) -> float:
        """Chance that the match is one of chance; NaN: unknown."""
        return float(1.0 / (1.0 + np.exp(min(self.log_odds, 700.0))))

    def to_sky(self, x: Any, y: Any) -> tuple[Floats, Floats]:
        """Right ascension and declination, ICRS, degrees, of pixels."""
        t = self._terms(x, y)
        return from_plane(t @ self.xi, t @ self.eta, self.ra_deg, self.dec_deg)

    def to_pixel(self, ra: Any, dec: Any) -> tuple[Floats, Floats]:
        """Pixels of places of the sky; NaN for those that the polynomials do not reach."""
        xi, eta = to_plane(ra, dec, self.ra_deg, self.dec_deg)
        return self._from_plane(xi, eta)

    def sigma_px(self, x: Any, y: Any) -> Floats:
        """Uncertainty of a predicted place of the sky's grid, each axis, pixels (one sigma)."""
        t = self._terms(x, y)
        variance = np.einsum("...i,ij,...j->...", t, self.covariance, t)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)) * 3600.0 / self.scale_arcsec, np.float64)

    def moved(self, transform: Transform, frame: int) -> "SkySolution":
        """The same on another frame; `transform` leads from this frame's pixels to those of the other."""
        x0, y0 = transform.apply(np.array(self.x0), np.array(self.y0))
        unit = self.unit_px * transform.scale
        u, v = np.meshgrid(np.linspace(-1.0, 1.0, 9), np.linspace(-1.0, 1.0, 9))
        there = terms(u.ravel(), v.ravel(), self.degree)
        x, y = transform.invert(x0 + unit * u.ravel(), y0 + unit * v.ravel())
        here = self._terms(x, y)
        turn = np.linalg.lstsq(there, here, rcond=None)[0]  # exact: polynomials stay polynomials
        return replace(
            self,
            frame=frame,
            x0=float(x0),
            y0=float(y0),
            unit_px=unit,
            xi=turn @ self.xi,
            eta=turn @ self.eta,
            covariance=turn @ self.covariance @ turn.T,
        )

    def _terms(self, x: Any, y: Any) -> Floats:
        u = (np.asarray(x, np.float64) - self.x0) / self.unit_px
        v = (np.asarray(y, np.float64) - self.y0) / self.unit_px
        return terms(u, v, self.degree)

    def _from_plane(self, xi: Floats, eta: Floats) -> tuple[Floats, Floats]:
        """Newton's method from the linear solution."""
        inverse = np.linalg.inv(self.matrix)
        goal = np.stack([np.ravel(xi), np.ravel(eta)])
        at = np.tensordot(inverse, goal, 1) + np.array([[self.x0], [self.y0]])
        start = at.copy()
        for _ in range(NEWTON_STEPS if self.degree > 1 else 0):
            t = self._terms(at[0], at[1])
            miss = goal - np.stack([t @ self.xi, t @ self.eta])
            step = self._solved(at, miss)
            at = at + step
            if not np.nanmax(np.abs(step), initial=0.0) > 1e-9:
                break
        reach = 0.5 * (self.width + self.height)
        astray = ~(np.hypot(*(at - start)) < reach)
        at[:, astray] = np.nan
        shape = np.shape(xi)
        return at[0].reshape(shape), at[1].reshape(shape)

    def _solved(self, at: Floats, miss: Floats) -> Floats:
        """Newton steps, from the polynomials' derivatives."""
        u, v = (at[0] - self.x0) / self.unit_px, (at[1] - self.y0) / self.unit_px
        powers = orders(self.degree)
        du = np.stack([i * u ** max(i - 1, 0) * v**j for i, j in powers], -1) / self.unit_px
        dv = np.stack([j * u**i * v ** max(j - 1, 0) for i, j in powers], -1) / self.unit_px
        a, b, c, d = du @ self.xi, dv @ self.xi, du @ self.eta, dv @ self.eta
        with np.errstate(divide="ignore", invalid="ignore"):
            bottom = a * d - b * c
            return np.stack([(d * miss[0] - b * miss[1]) / bottom, (a * miss[1] - c * miss[0]) / bottom])

    @property
    def digest(self) -> str:
        """SHA-256 of `as_json`."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """Everything, as a JSON document."""
        document: dict[str, Any] = {"form": FORM}
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, np.ndarray):
                value = value.tolist()
            document[name] = None if isinstance(value, float) and not np.isfinite(value) else value
        return document


_NUMBERS = ("ra_deg", "dec_deg", "x0", "y0", "unit_px", "rms_px", "scatter_px", "chi2", "log_odds", "epoch")


def solution_from_json(document: Any, where: str) -> SkySolution:
    """Undo `SkySolution.as_json`.

    Raises
    ------
    DataError
        It is no such document, or its numbers do not make a solution.
    """
    if not isinstance(document, Mapping) or document.get("form") != FORM:
        raise DataError(f"{where}: not a plate solution of Umbra's ({FORM}); run umbra solve again")
    try:
        fields = {name: document[name] for name in SkySolution.__slots__}
        for name in _NUMBERS:
            missing = None if name == "epoch" else float("nan")
            fields[name] = missing if fields[name] is None else float(fields[name])
        for name in ("frame", "width", "height", "stars"):
            fields[name] = int(fields[name])
        for name in ("xi", "eta", "covariance"):
            fields[name] = np.asarray(fields[name], np.float64)
        solution = SkySolution(**fields)
        checked(solution)
    except (KeyError, TypeError, ValueError, OverflowError, np.linalg.LinAlgError) as error:
        raise DataError(f"{where}: a damaged plate solution ({error}); run umbra solve again") from error
    return solution


def checked(solution: SkySolution) -> None:
    """Raise ValueError unless the numbers can be a plate solution."""
    n = solution.xi.size
    if n not in {3, 6, 10, 15, 21} or solution.eta.shape != (n,) or solution.covariance.shape != (n, n):
        raise ValueError(f"{n} coefficients")
    numbers = [solution.ra_deg, solution.dec_deg, solution.x0, solution.y0, solution.unit_px]
    finite = all(np.isfinite(a).all() for a in (numbers, solution.xi, solution.eta, solution.covariance))
    if not finite or abs(solution.dec_deg) > 90.0 or not solution.unit_px > 0:
        raise ValueError("numbers out of range")
    if (
        not 1e-5 < solution.scale_arcsec < 36000.0
        or min(solution.width, solution.height) < 1
        or solution.frame < 0
    ):
        raise ValueError(f"a scale of {solution.scale_arcsec:g} arcsec per pixel")
    texts = (solution.model, solution.method, solution.catalogue, solution.pixel_digest)
    if not all(isinstance(text, str) for text in texts) or not isinstance(solution.sigma_known, bool):
        raise TypeError("texts expected")
