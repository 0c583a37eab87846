"""Frames found among the stars of a catalogue; frames that must not be found there."""

from dataclasses import replace

import numpy as np
import pytest

from reduction.astrometry.match import Match, match_field
from reduction.errors import DataError, RequestError, UmbraError
from tests.reduction.astrometry.fields import Field, Floats, make_field


def solved(field: Field, scale: tuple[float, float] = (0.2, 20.0)) -> Match:
    return match_field(field.seen, field.sky, field.centre, field.radius, scale)


def misses(field: Field, match: Match) -> tuple[Floats, Floats]:
    """Distances of the true places of the stars shown from the solution's, and the stated sigma."""
    x, y = match.solution.to_pixel(field.sky.ra[field.shown], field.sky.dec[field.shown])
    sigma = match.solution.sigma_px(x, y)
    return np.hypot(x - field.x[field.shown], y - field.y[field.shown]), sigma


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("scale", [0.5, 2.0, 10.0])
@pytest.mark.parametrize("count", [12, 40, 200])
def test_a_field_is_found_at_any_scale_and_turn(count: int, scale: float, mirrored: bool) -> None:
    field = make_field(1, count, scale, mirrored=mirrored)
    match = solved(field)
    assert match.solution.mirrored == mirrored
    assert match.solution.scale_arcsec == pytest.approx(scale, rel=2e-3)
    assert misses(field, match)[0].max() < 0.2
    assert match.solution.stars >= 0.9 * field.shown.size
    assert match.solution.false_match_probability < 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_five_stars_suffice_where_the_field_is_known_roughly(seed: int) -> None:
    field = make_field(seed, 5, 2.0, radius=0.15, depth=2.0)
    assert field.shown.size == 5
    match = solved(field, (1.0, 4.0))
    assert misses(field, match)[0].max() < 0.5
    assert match.solution.model == "similarity"


@pytest.mark.parametrize("distortion", [-0.008, 0.008])
@pytest.mark.parametrize("count", [40, 200])
def test_distortion_is_fitted(count: int, distortion: float) -> None:
    field = make_field(3, count, 2.0, distortion=distortion)
    match = solved(field)
    assert match.solution.model == "order 3"
    assert np.percentile(misses(field, match)[0], 95) < 0.2


def test_a_catalogue_may_be_much_deeper_than_the_frame_and_lack_magnitudes() -> None:
    for magnitudes in (True, False):
        field = make_field(7, 40, 1.0, depth=1.0 if not magnitudes else 3.0, magnitudes=magnitudes)
        assert misses(field, solved(field, (0.5, 2.0)))[0].max() < 0.25


@pytest.mark.parametrize("dec", [89.7, -89.99])
def test_near_the_poles(dec: float) -> None:
    field = make_field(5, 30, 3.0, pole=(77.0, dec))
    assert misses(field, solved(field))[0].max() < 0.2


def test_the_same_input_gives_the_same_solution() -> None:
    field = make_field(2, 30, 2.0)
    assert solved(field).solution.digest == solved(field).solution.digest


def test_stated_errors_are_those_met() -> None:
    """Chi-square of predicted places against the true ones, which the fit saw through noise."""
    chi2 = []
    for seed in range(40):
        field = make_field(seed, 25, 2.0, sigma=0.15)
        miss, sigma = misses(field, solved(field, (1.0, 4.0)))
        chi2.append(float(np.mean(miss**2 / (2 * sigma**2))))
    # places of one frame share the fit's parameters: some four independent numbers each
    assert np.mean(chi2) == pytest.approx(1.0, abs=4 * np.sqrt(0.5 / 40))


@pytest.mark.parametrize(("count", "seeds"), [(8, 4), (15, 4), (40, 2), (100, 1)])
def test_a_wrong_catalogue_is_refused(count: int, seeds: int) -> None:
    for seed in range(seeds):
        field, other = make_field(seed, count, 2.0), make_field(seed + 100, count, 2.0)
        wrong = Field(field.seen, other.sky, other.centre, other.radius, other.shown, other.x, other.y)
        with pytest.raises(DataError, match="is beyond doubt"):
            solved(wrong, (0.5, 8.0))


def test_half_a_field_of_strays_and_a_wrong_scale_are_refused_or_right() -> None:
    for seed in range(4):
        field = make_field(seed, 8, 2.0, false_share=0.6)
        try:
            match = solved(field)
        except UmbraError:
            continue
        assert misses(field, match)[0].max() < 1.0
    with pytest.raises(DataError, match="5 to 20 arcsec"):
        solved(make_field(1, 40, 2.0), (5.0, 20.0))


@pytest.mark.parametrize("aspect", [12 / 11, 0.9])
def test_pixels_of_video_are_not_square(aspect: float) -> None:
    field = make_field(8, 40, 2.0, size=(720, 540))
    narrow = replace(field.seen, x=field.seen.x / aspect, width=round(720 / aspect))
    match = solved(replace(field, seen=narrow, x=field.x / aspect), (1.0, 4.0))
    assert match.solution.model != "similarity"
    assert misses(replace(field, x=field.x / aspect), match)[0].max() < 0.25


def test_too_few_stars_are_told_apart() -> None:
    field = make_field(1, 12, 2.0)
    few = replace(field, seen=make_field(1, 2, 2.0, false_share=0.0).seen)
    with pytest.raises(DataError, match="2 stars found"):
        solved(few)
    with pytest.raises(RequestError, match="lie within"):
        match_field(field.seen, field.sky, (300.0, 60.0), 0.5, (0.5, 5.0))
