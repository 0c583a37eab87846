"""A campaign from its stations to the body: chords, limb, shifted stations, place."""

import dataclasses
import math
from dataclasses import dataclass

from reduction.caveats import Caveat, Note
from reduction.errors import DataError
from reduction.geometry.skyplane import SkyPlane, sky_plane
from reduction.geometry.stars import StarPlace, star_at
from reduction.geometry.uncertainty import path_error
from reduction.limb.astrometry import BodyPlace, body_place
from reduction.limb.campaign import ASSUMED_SHARE, Campaign
from reduction.limb.chords import Chord, lay_chord, times_of
from reduction.limb.ellipse import LimbFit, Model, fit_limb
from reduction.limb.likelihood import Prior, Times
from reduction.limb.offsets import OffsetSearch, find_offsets, released

OTHER_STAR_ARCSEC = 2.0
"""A catalogue's star farther than this from the predicted one is another."""
FEW = 2
"""Chords up to which the predicted diameter is taken as known."""


@dataclass(frozen=True, slots=True, eq=False)
class ChordStudy:
    """Everything found of a campaign.

    Attributes
    ----------
    campaign : Campaign
    plane : SkyPlane
    chords : tuple of Chord
        Of every station, in the campaign's order.
    kept : tuple of int
        Index in `chords` of each chord of the fit.
    times : Times
    prior : Prior
    fit : LimbFit
        Of all times as they were given.
    offsets : OffsetSearch
        Chords there are numbered as in `kept`.
    released : LimbFit or None
        The fit in which the named stations' times are free; None where none is named.
    place : BodyPlace
        From `released` where it is there, else from `fit`.
    notes : tuple of Note
    """

    campaign: Campaign
    plane: SkyPlane
    chords: tuple[Chord, ...]
    kept: tuple[int, ...]
    times: Times
    prior: Prior
    fit: LimbFit
    offsets: OffsetSearch
    released: LimbFit | None
    place: BodyPlace
    notes: tuple[Note, ...]

    @property
    def limb(self) -> LimbFit:
        """The fit to believe."""
        return self.released or self.fit


def study(campaign: Campaign, model: Model | None = None, seed: int = 0) -> ChordStudy:
    """Fit the limb to a campaign and look for stations whose times are shifted.

    Raises
    ------
    DataError
        No positive chord, or too few times.
    """
    plane = sky_plane(campaign.prediction)
    chords = tuple(lay_chord(plane, station) for station in campaign.stations)
    times, kept = times_of(chords)
    if not kept:
        raise DataError(f"none of {len(chords)} stations has a D or an R: there is no limb to fit")
    notes: list[Note] = []
    prior = dataclasses.replace(_prior(campaign, len(kept), notes), path_km2=_path(plane))
    model = model or campaign.settings.model
    fit = fit_limb(times, prior, model, seed)
    exposures = [chords[index].station.exposure_s for index in kept]
    offsets = find_offsets(times, prior, fit.model, exposures)
    free: LimbFit | None = None
    if offsets.named:
        free = fit_limb(released(times, [one.chord for one in offsets.named]), prior, fit.model, seed)
        notes += [
            _shifted(chords[kept[one.chord]].station.name, one.shift_s, one.sigma_s) for one in offsets.named
        ]
    left = sum(one.station.status == "none" for one in chords)
    if left:
        text = f"{left} of {len(chords)} stations are neither positive nor negative: they take no part"
        notes.append(Note(Caveat.CHORDS_LEFT_OUT, text))
    best = free or fit
    centre = (best.figures["f_km"].value, best.figures["g_km"].value)
    nearest = min((chords[k] for k in kept), key=lambda one: _apart(one, centre))
    star = _star(campaign, notes)
    place = body_place(plane, nearest, centre, best.centre_covariance, star)
    notes += best.notes
    return ChordStudy(
        campaign, plane, chords, tuple(kept), times, prior, fit, offsets, free, place, tuple(notes)
    )


def _apart(chord: Chord, centre: tuple[float, float]) -> float:
    """Distance of a chord's line from a point."""
    at = chord.closest
    f, g = centre[0] - at.f_km, centre[1] - at.g_km
    return abs(at.f_km_s * g - at.g_km_s * f) / at.speed_km_s


def _star(campaign: Campaign, notes: list[Note]) -> StarPlace | None:
    """The catalogue's star at the event; None where the campaign has none.

    Raises
    ------
    DataError
        It is not the predicted star.
    """
    if campaign.settings.star is None:
        return None
    predicted = campaign.prediction.star
    found = star_at(campaign.settings.star, campaign.prediction.elements.epoch_ns)
    east = (found.ra_deg - predicted.ra_deg + 180) % 360 - 180
    east *= math.cos(math.radians(predicted.dec_deg))
    apart = 3600 * math.hypot(east, found.dec_deg - predicted.dec_deg)
    if apart > OTHER_STAR_ARCSEC:
        raise DataError(
            f"[star]: at the event it stands {apart:.1f} arcsec from the predicted star (RA "
            f"{predicted.ra_deg:.6f}, Dec {predicted.dec_deg:+.6f} deg): another star, or its epoch or "
            "proper motion is wrong"
        )
    notes += [Note(Caveat.STAR_PLACE_DOUBTFUL, text) for text in found.notes]
    return found


def _shifted(name: str, shift_s: float, sigma_s: float) -> Note:
    return Note(
        Caveat.STATION_TIME_OFFSET,
        f"{name}: its chord fits only with its times moved by {-shift_s:+.3f} +- {sigma_s:.3f} s; the "
        "limb is that of the others and of its length",
    )


def _path(plane: SkyPlane) -> tuple[float, float, float] | None:
    """Covariance of the predicted centre; None where the file states none."""
    error = path_error(plane)
    if error is None:
        return None
    (ff, fg), (_, gg) = error.covariance_km2.tolist()
    return ff, fg, gg


def _prior(campaign: Campaign, chords: int, notes: list[Note]) -> Prior:
    """The diameter: the campaign's where it is stated, the prediction's where there are few chords."""
    settings, body = campaign.settings, campaign.prediction.body
    diameter, sigma = settings.diameter_km, settings.diameter_sigma_km
    if diameter is None and chords <= FEW:
        diameter, sigma = body.diameter_km, body.diameter_sigma_km
    limit = 20 * max(body.diameter_km, diameter or 0.0)
    if diameter is None:
        return Prior(radius_limit_km=limit)
    if not sigma:
        sigma = ASSUMED_SHARE * diameter
        text = f"the diameter of {diameter:g} km is stated without a sigma: {sigma:.2g} km were taken"
        notes.append(Note(Caveat.DIAMETER_SIGMA_ASSUMED, text))
    return Prior(diameter, sigma, limit)
