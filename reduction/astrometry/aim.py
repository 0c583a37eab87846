"""A target named by its place on the sky: which star of the frame it is, and how sure that is."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpu_kernels.align import fit_stars
from gpu_kernels.detect import find_stars
from reduction.astrometry.angles import dec_text, ra_text
from reduction.astrometry.solution import SkySolution
from reduction.caveats import Caveat, Note
from reduction.errors import RequestError
from reduction.plan import Position, ReductionPlan
from reduction.register import Registered
from reduction.stack import SourceInfo
from reduction.view import Calibration, View

Floats = NDArray[np.float64]

GATE = 4.0
"""Standard deviations within which a star is the one that is meant."""

FLOOR_PX = 0.15
"""What a fit of one star's place may be off by, whatever it says: neighbours, pixels, seeing."""

FAINTEST = 4.0
MOST_STARS = 400


@dataclass(frozen=True, slots=True)
class SkyGoal:
    """Where the target is at the recording's date, ICRS, degrees.

    Attributes
    ----------
    given : str
        As the person named it.
    ra_deg, dec_deg : float
    sigma_deg : float
        Uncertainty, each axis: of rounding, and of the motion.
    notes : tuple of str
        How it was brought to the date; what is missing.
    """

    given: str
    ra_deg: float
    dec_deg: float
    sigma_deg: float
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The place at the date, sexagesimal."""
        return f"{ra_text(self.ra_deg)} {dec_text(self.dec_deg)}"


@dataclass(frozen=True, slots=True)
class SkyMatch:
    """The star taken as target, against where the sky says it should be; pixels of the solution's frame."""

    x: float
    y: float
    distance_arcsec: float
    sigma_arcsec: float
    position_angle_deg: float  # from the place predicted to the star, from north through east

    @property
    def sigmas(self) -> float:
        """Distance in standard deviations of one axis."""
        return self.distance_arcsec / self.sigma_arcsec


@dataclass(frozen=True, slots=True, eq=False)
class Sky:
    """A recording's plate solution, and the target's place on the sky where it was named so.

    Attributes
    ----------
    solution : SkySolution
    source : str
        Where the solution was kept.
    goal : SkyGoal or None
    match : SkyMatch or None
        Once the star has been measured.
    """

    solution: SkySolution
    source: str
    goal: SkyGoal | None = None
    match: SkyMatch | None = None

    def applied(
        self, plan: ReductionPlan, calibration: Calibration, info: SourceInfo
    ) -> tuple[ReductionPlan, Calibration]:
        """The plan with the target where the sky has it, on the solution's frame.

        Raises
        ------
        RequestError
            The place lies off the frame, or the plan's positions hold on another frame.
        """
        if self.goal is None:
            return plan, calibration
        frame = self.solution.frame
        if plan.frame != frame and (plan.references or plan.guides):
            raise RequestError(
                f"{info.name}: the plate solution holds on frame {frame}, the positions given on frame "
                f"{plan.frame}; give them on frame {frame}, with --frame {frame}"
            )
        x, y = (float(v) for v in self.solution.to_pixel(self.goal.ra_deg, self.goal.dec_deg))
        if not (-0.5 <= x <= info.width - 0.5 and -0.5 <= y <= info.height - 0.5):
            centre = self.solution.to_sky(0.5 * (info.width - 1), 0.5 * (info.height - 1))
            raise RequestError(
                f"--target-sky {self.goal.given!r}: lies off frame {frame}, whose middle is "
                f"{ra_text(float(centre[0]), 1)} {dec_text(float(centre[1]), 0)}"
            )
        digests = {**calibration.digests, "wcs": self.solution.digest}
        found = plan.model_copy(update={"target": Position(x=x, y=y), "frame": frame})
        return found, replace(calibration, digests=digests)

    def settled(
        self, plan: ReductionPlan, view: View, registered: Registered, saturation: float, least: float
    ) -> ReductionPlan:
        """The plan with the target at the one star of the reference image that can be meant.

        Raises
        ------
        RequestError
            No star lies there, or several do.
        """
        if self.goal is None or plan.target is None:
            return plan
        image, width = registered.image, registered.field.sigma
        found = find_stars(image, FAINTEST, MOST_STARS, width, saturation, least_noise=least)
        fits = fit_stars(image, found.x, found.y, 0, width, found.noise**2, 0.0, saturation)
        x, y = (np.asarray(view.geometry.to_full(v), np.float64) for v in (found.x, found.y))
        error = np.where(np.isfinite(fits.error), fits.error, 0.5)
        distance = np.hypot(x - plan.target.x, y - plan.target.y)
        sigma = np.hypot(self.sigma_px(plan.target.x, plan.target.y), error)
        near = np.flatnonzero(distance <= GATE * sigma)
        if near.size != 1:
            raise RequestError(self._refusal(near, x, y, distance, sigma))
        star = int(near[0])
        return plan.model_copy(update={"target": Position(x=float(x[star]), y=float(y[star]))})

    def sigma_px(self, x: float, y: float) -> float:
        """Uncertainty of where the target should be, each axis, pixels; its centroid's error is not in it."""
        s = self.solution
        goal = 0.0 if self.goal is None else self.goal.sigma_deg * 3600.0 / s.scale_arcsec
        return float(np.sqrt(float(s.sigma_px(x, y)) ** 2 + s.scatter_px**2 + goal**2 + FLOOR_PX**2))

    def _refusal(self, near: NDArray[np.intp], x: Floats, y: Floats, distance: Floats, sigma: Floats) -> str:
        assert self.goal is not None
        scale = self.solution.scale_arcsec
        head = f"--target-sky {self.goal.given!r}:"
        if near.size:
            places = "; ".join(
                f"{x[k]:.1f},{y[k]:.1f} ({distance[k] * scale:.2f} arcsec off)" for k in near[:4]
            )
            return (
                f"{head} {near.size} stars lie within {GATE:g} sigma of it: {places}. Name one with --target "
                f"X,Y --frame {self.solution.frame}, or give more digits"
            )
        if not distance.size:
            return f"{head} the reference image shows no star at all"
        k = int(np.argmin(distance))
        return (
            f"{head} no star lies there; the nearest, at {x[k]:.1f},{y[k]:.1f}, is {distance[k] * scale:.2f} "
            f"arcsec ({distance[k] / sigma[k]:.1f} sigma) off. Is it the right field, is its proper motion "
            "missing (--pm)? A star that is too faint to be seen can be named with --target X,Y --frame "
            f"{self.solution.frame}"
        )

    def measured(self, x: float, y: float) -> "Sky":
        """The same with the target's star as it was measured, on the solution's frame."""
        if self.goal is None:
            return self
        s, goal = self.solution, self.goal
        ra, dec = (float(v) for v in s.to_sky(x, y))
        east = (ra - goal.ra_deg + 180.0) % 360.0 - 180.0
        xi, eta = east * np.cos(np.radians(goal.dec_deg)), dec - goal.dec_deg
        sigma = self.sigma_px(x, y) * s.scale_arcsec
        angle = float(np.degrees(np.arctan2(xi, eta)) % 360.0)
        return replace(self, match=SkyMatch(x, y, float(np.hypot(xi, eta)) * 3600.0, sigma, angle))

    def notes(self) -> tuple[Note, ...]:
        """What a reader must know of it."""
        if self.goal is None or self.match is None:
            return ()
        m, goal = self.match, self.goal
        said = "".join(f" {text[:1].upper()}{text[1:].rstrip('.')}." for text in goal.notes)
        assumed = "" if self.solution.sigma_known else " The plate solution's own errors are not known."
        return (
            Note(
                Caveat.TARGET_BY_SKY,
                f"The target was named by its place, {goal.text} (ICRS) at the date; the star at {m.x:.1f},"
                f"{m.y:.1f} lies {m.distance_arcsec:.2f} arcsec from it ({m.sigmas:.1f} sigma of "
                f"{m.sigma_arcsec:.2f} arcsec).{assumed}{said}",
            ),
        )

    def document(self, frame: int) -> dict[str, object]:
        """Plain values for ``summary.json``; `frame`: that of the plan's positions."""
        s = self.solution
        ra, dec = s.to_sky(0.5 * (s.width - 1), 0.5 * (s.height - 1))
        goal, m = self.goal, self.match
        return {
            "solution": s.digest,
            "source": self.source,
            "frame": s.frame,
            "on_this_frame": s.frame == frame,
            "center_ra_deg": float(ra),
            "center_dec_deg": float(dec),
            "scale_arcsec": s.scale_arcsec,
            "up_deg": s.up_deg,
            "mirrored": s.mirrored,
            "rms_arcsec": s.rms_px * s.scale_arcsec,
            "stars": s.stars,
            "false_match_probability": s.false_match_probability,
            "target_ra_deg": None if goal is None else goal.ra_deg,
            "target_dec_deg": None if goal is None else goal.dec_deg,
            "target_distance_arcsec": None if m is None else m.distance_arcsec,
            "target_sigma_arcsec": None if m is None else m.sigma_arcsec,
        }
