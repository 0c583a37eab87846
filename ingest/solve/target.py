"""`umbra reduce --target-sky`: the plate solution that is meant, and the target at the recording's date."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ingest.solve.catalogue import read_catalogue
from ingest.solve.kept import find_solution, load_solution
from ingest.solve.request import SkyRequest
from reduction.astrometry.aim import Sky, SkyGoal
from reduction.astrometry.angles import SkyPosition, parse_position
from reduction.astrometry.plane import separation
from reduction.caveats import Caveat, Note
from reduction.errors import RequestError, UmbraError
from reduction.stack import Stack

if TYPE_CHECKING:
    from reduction.geometry.stars import CatalogueStar

CATALOGUE_ARCSEC = 3.0
"""How far a catalogue's star may be from the place given, beyond the rounding of that."""


def sky_of(request: SkyRequest, inputs: tuple[str, ...], stack: Stack) -> tuple[Sky | None, tuple[Note, ...]]:
    """The plate solution of a recording with the target's place, if one is named.

    A solution kept beside the recording that cannot be used is passed over with a note where nobody asks
    for it.

    Raises
    ------
    RequestError
        There is no solution though a place is named; options contradict each other or miss something.
    DataError
        The solution is damaged.
    """
    info = stack.info
    _check(request)
    if request.wcs is not None:
        found = load_solution(Path(request.wcs), info.width, info.height), Path(request.wcs).name
    else:
        try:
            kept = find_solution(inputs, info.width, info.height)
        except UmbraError as error:
            if request.target is not None:
                raise
            return None, (
                Note(Caveat.WCS_UNUSED, f"The plate solution kept with it was passed over: {error}."),
            )
        if kept is None:
            if request.target is not None:
                raise RequestError(
                    f"--target-sky {request.target!r}: {info.name} has no plate solution; make one with "
                    "umbra solve, or name a file with --wcs"
                )
            return None, ()
        found = kept
    solution, source = found
    digest = getattr(stack, "digest", "")
    if solution.pixel_digest and digest and solution.pixel_digest != digest:
        raise RequestError(f"--wcs {source}: is of a recording with other pixels; run umbra solve again")
    if request.target is None:
        return Sky(solution, source), ()
    return Sky(solution, source, goal_of(request, stack)), ()


def _check(request: SkyRequest) -> None:
    """Refuse options that say nothing without others."""
    moving = request.pm is not None or request.parallax is not None or request.epoch is not None
    if request.target is None and (moving or request.catalogue is not None):
        raise RequestError(
            "--pm, --parallax, --epoch and --catalogue belong to --target-sky RA,DEC: give it too"
        )
    if request.catalogue is not None and moving:
        raise RequestError("--catalogue gives the star's motion: leave out --pm, --parallax and --epoch")
    if request.epoch is None and (request.pm is not None or request.parallax is not None):
        raise RequestError(
            "--pm and --parallax need the epoch of the coordinates: --epoch 2016.0 for Gaia DR3"
        )


def goal_of(request: SkyRequest, stack: Stack) -> SkyGoal:
    """The target's place at the recording's date."""
    assert request.target is not None
    place = parse_position(request.target, "--target-sky")
    known = stack.times.mid_ns[stack.times.known]
    at_ns = int(np.median(known)) if known.size else None
    star = None
    if request.catalogue is not None:
        star = _of_catalogue(Path(request.catalogue), place)
    elif request.epoch is not None:
        star = _as_given(request, place)
    if star is None:
        return SkyGoal(
            request.target, place.ra_deg, place.dec_deg, place.sigma_deg, ("no proper motion was given",)
        )
    from reduction.geometry.stars import star_at

    if at_ns is None:
        raise RequestError(
            f"--target-sky {request.target!r}: the recording's times are not known, so the star cannot be "
            "brought to its date; give --times or --start-utc"
        )
    there = star_at(star, at_ns)
    sigma = math.sqrt(0.5 * float(np.trace(there.covariance_mas2))) / 3.6e6
    rounding = place.sigma_deg if request.catalogue is None else 0.0
    moved = float(separation(there.ra_deg, there.dec_deg, star.ra, star.dec)) * 3600.0
    notes = (f"it moved by {moved:.2f} arcsec since {star.ref_epoch:g}", *there.notes)
    return SkyGoal(request.target, there.ra_deg, there.dec_deg, math.hypot(sigma, rounding), notes)


def _as_given(request: SkyRequest, place: SkyPosition) -> "CatalogueStar":
    from reduction.geometry.stars import CatalogueStar

    east, north = _motion(request.pm)
    return CatalogueStar(
        ra=place.ra_deg,
        dec=place.dec_deg,
        ref_epoch=request.epoch or 2000.0,
        pmra=east,
        pmdec=north,
        pmra_error=None if east is None else 0.0,
        pmdec_error=None if north is None else 0.0,
        parallax=request.parallax,
    )


def _motion(text: str | None) -> tuple[float | None, float | None]:
    if text is None:
        return None, None
    try:
        east, north = (float(part) for part in text.split(","))
    except ValueError as error:
        raise RequestError(
            f"--pm {text!r}: give PMRA,PMDEC in mas per year, the first with cos(dec)"
        ) from error
    if not (abs(east) <= 2e4 and abs(north) <= 2e4):
        raise RequestError(f"--pm {text!r}: no star moves like that; give mas per year")
    return east, north


def _of_catalogue(path: Path, place: SkyPosition) -> "CatalogueStar":
    """The one star of a catalogue at the place given.

    Raises
    ------
    RequestError
        There is none, or there are several; its epoch is not known.
    """
    from reduction.geometry.stars import CatalogueStar

    stars = read_catalogue(path)
    away = separation(stars.ra, stars.dec, place.ra_deg, place.dec_deg) * 3600.0
    reach = CATALOGUE_ARCSEC + 4.0 * place.sigma_deg * 3600.0
    near = np.flatnonzero(away <= reach)
    if near.size != 1:
        found = (
            f"{near.size} stars lie"
            if near.size
            else f"no star lies (the nearest is {away.min():.1f} arcsec off)"
        )
        raise RequestError(
            f"--catalogue {path.name}: {found} within {reach:.1f} arcsec of {place.ra_deg:.6f},"
            f"{place.dec_deg:+.6f}"
        )
    k = int(near[0])
    epoch = float(stars.epoch[k])
    if not math.isfinite(epoch):
        raise RequestError(
            f"--catalogue {path.name}: the epoch of its places is not known (a column ref_epoch)"
        )
    return CatalogueStar(
        ra=float(stars.ra[k]),
        dec=float(stars.dec[k]),
        ref_epoch=epoch,
        pmra=_known(stars.pm_ra[k]),
        pmdec=_known(stars.pm_dec[k]),
        parallax=_known(stars.parallax[k]),
    )


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
