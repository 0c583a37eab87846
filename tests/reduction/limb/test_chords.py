import dataclasses

import numpy as np
import pytest

from reduction.errors import DataError
from reduction.limb.astrometry import body_place
from reduction.limb.chords import Moment, Station, lay_chord, times_of
from reduction.limb.ellipse import fit_limb
from reduction.limb.likelihood import Prior
from reduction.limb.shape import Ellipse
from tests.reduction.limb.events import SECOND, observed, plane

TRUTH = Ellipse(12.0, -7.0, 55.0, 47.0, 30.0)
PLANE = plane()
STATIONS = observed(PLANE, TRUTH, [-0.85, -0.5, -0.2, 0.1, 0.45, 0.8, 1.3], np.random.default_rng(1))


def test_a_campaign_on_the_ground_gives_its_limb_back() -> None:
    chords = [lay_chord(PLANE, one) for one in STATIONS]
    times, kept = times_of(chords)
    assert kept == [0, 1, 2, 3, 4, 5]
    assert times.miss_shortest_s.size == 1
    fit = fit_limb(times, Prior())
    expected = {"f_km": 12.0, "g_km": -7.0, "semi_major_km": 55.0, "semi_minor_km": 47.0, "pa_deg": 30.0}
    for name, value in expected.items():
        low, high = fit.figures[name].intervals[2]
        assert low < value < high
        assert fit.figures[name].sigma < 2


def test_chords_lie_in_order_and_at_their_lengths() -> None:
    chords = [lay_chord(PLANE, one) for one in STATIONS]
    across = [one.across_km for one in chords]
    assert across == sorted(across)
    for chord in chords[:6]:
        assert chord.d is not None
        assert chord.r is not None
        seconds = (chord.r.utc_ns - chord.d.utc_ns) / SECOND
        assert chord.length_km == pytest.approx(seconds * chord.closest.speed_km_s, rel=1e-4)
        apart = chord.closest.f_km * chord.closest.f_km_s + chord.closest.g_km * chord.closest.g_km_s
        assert apart == pytest.approx(0, abs=1e-3)
        assert abs(across[chords.index(chord)]) == pytest.approx(
            np.hypot(chord.closest.f_km, chord.closest.g_km), rel=1e-9
        )


def test_a_partial_chord_keeps_what_was_seen_after_it() -> None:
    lone = dataclasses.replace(STATIONS[2], r=None, to_ns=STATIONS[2].d.utc_ns + 3 * SECOND)  # type: ignore[union-attr]  # a positive station has a D
    times, _ = times_of([lay_chord(PLANE, lone)])
    assert times.stay_edge.tolist() == [0]
    assert times.stay_s == pytest.approx([3.0])
    assert lay_chord(PLANE, lone).length_km is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"d": None, "r": None}, "positive, but neither D nor R"),
        ({"status": "negative"}, "not positive"),
        ({"d": Moment(0, 0.0)}, "D has the sigma 0.0 s"),
        ({"d": Moment(0, float("nan"))}, "D has the sigma nan s"),
    ],
)
def test_contradictions_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        lay_chord(PLANE, dataclasses.replace(STATIONS[0], **change))  # type: ignore[arg-type]  # a table of fields


def test_d_after_r_is_refused() -> None:
    wrong = dataclasses.replace(STATIONS[0], d=STATIONS[0].r, r=STATIONS[0].d)
    with pytest.raises(DataError, match="D is not before R"):
        lay_chord(PLANE, wrong)


def test_a_station_under_clouds_takes_no_part() -> None:
    cloudy = Station("C", STATIONS[0].site, "none")
    times, kept = times_of([lay_chord(PLANE, cloudy)])
    assert kept == []
    assert times.edges == 0


def test_the_body_stands_where_its_shadow_says() -> None:
    chord = lay_chord(PLANE, STATIONS[3])
    covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    place = body_place(PLANE, chord, (12.0, -7.0), covariance)
    per_km = 206264.80624709636 / (PLANE.prediction.body.distance_au * 149597870.7)
    assert place.offset_mas == pytest.approx((12 * per_km * 1000, -7 * per_km * 1000))
    assert place.offset_sigma_mas == pytest.approx((0.2 * per_km * 1000, 0.3 * per_km * 1000))
    # seen from there, the star then stands nearest to the centre: a tenth of the half-width away
    assert np.hypot(place.east_arcsec, place.north_arcsec) == pytest.approx(4.7 * per_km, rel=0.05)
    from astropy.coordinates import SkyCoord

    star = SkyCoord(place.star_ra_deg, place.star_dec_deg, unit="deg")
    body = SkyCoord(place.ra_deg, place.dec_deg, unit="deg")
    east, north = star.spherical_offsets_to(body)
    assert east.arcsec == pytest.approx(place.east_arcsec, abs=1e-7)
    assert north.arcsec == pytest.approx(place.north_arcsec, abs=1e-7)
