"""Star table to light curve: the equations by hand, baseline, errors, flags."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from reduction.lightcurve import (
    Columns,
    Roles,
    columns,
    ensemble_weights,
    make_lightcurve,
    out_of_event,
    reduced_chi2,
    robust_sigma,
    time_flags,
    weighted_level,
)
from reduction.result import STAR_DTYPE, Flag
from reduction.timing import UNKNOWN_NS, TimeSolution, no_times

Floats = NDArray[np.float64]
NONE = np.empty(0, np.intp)


def times_of(n: int, step_ns: int = 40_000_000) -> TimeSolution:
    mid = 1_760_000_000_000_000_000 + step_ns * np.arange(n, dtype=np.int64)
    return TimeSolution(mid, np.full(n, 1e-3), np.full(n, 0.04), "mid", "table")


def measured(
    flux: Floats, sigma: Floats | float, reference: Floats, reference_sigma: Floats | float
) -> Columns:
    n = flux.size
    return Columns(
        flux=flux.astype(float),
        sigma=np.broadcast_to(np.asarray(sigma, float), n).copy(),
        reference=reference.astype(float),
        reference_sigma=np.broadcast_to(np.asarray(reference_sigma, float), n).copy(),
        x=np.zeros(n),
        y=np.zeros(n),
        sky=np.zeros(n),
        flags=np.zeros(n, np.uint32),
    )


class TestEnsemble:
    @given(
        flux=st.lists(st.floats(1.0, 1e6), min_size=1, max_size=6),
        snr=st.lists(st.floats(1.0, 500.0), min_size=6, max_size=6),
    )
    @settings(max_examples=50, deadline=None)
    def test_weights_are_inverse_variances_of_relative_fluxes(
        self, flux: list[float], snr: list[float]
    ) -> None:
        f = np.array(flux)
        s = f / np.array(snr[: f.size])
        weight = ensemble_weights(f, s, np.arange(f.size))
        assert weight.sum() == pytest.approx(1.0)
        expected = np.array(snr[: f.size]) ** 2
        np.testing.assert_allclose(weight, expected / expected.sum(), rtol=1e-9)

    def test_no_combination_of_weights_is_quieter(self) -> None:
        flux, sigma = np.array([1e4, 4e3, 500.0]), np.array([120.0, 80.0, 60.0])
        best = ensemble_weights(flux, sigma, np.arange(3))

        def noise(weight: Floats) -> float:
            return float(((weight * sigma / flux) ** 2).sum())

        rng = np.random.default_rng(1)
        for _ in range(200):
            other = rng.dirichlet(np.ones(3))
            assert noise(best) <= noise(other) + 1e-15

    def test_stars_without_light_weigh_nothing(self) -> None:
        flux, sigma = np.array([100.0, -5.0, 0.0]), np.array([10.0, 10.0, 10.0])
        assert ensemble_weights(flux, sigma, np.arange(3)).tolist() == [1.0, 0.0, 0.0]
        assert ensemble_weights(flux, sigma, np.array([1, 2])).tolist() == [0.5, 0.5]
        assert ensemble_weights(flux, sigma, NONE).size == 0

    def table(
        self, tmp_path: Path, flux: Floats, sigma: Floats, flags: NDArray[Any] | None = None
    ) -> list[Path]:
        """Two segments of (frame, star) fluxes."""
        rows = np.zeros(flux.shape, STAR_DTYPE)
        rows["flux"], rows["sigma"], rows["x"] = flux, sigma, np.arange(flux.shape[0])[:, None]
        rows["flags"] = 0 if flags is None else flags
        paths = [tmp_path / "a.npy", tmp_path / "b.npy"]
        np.save(paths[0], rows[:2].reshape(-1))
        np.save(paths[1], rows[2:].reshape(-1))
        return paths

    def test_weighted_mean_of_normalised_fluxes(self, tmp_path: Path) -> None:
        flux = np.array([[5.0, 100.0, 40.0], [6.0, 110.0, 36.0], [7.0, 90.0, 44.0]])
        sigma = np.full((3, 3), 2.0)
        roles = Roles(0, np.array([1, 2]), np.array([0.8, 0.2]), np.array([100.0, 40.0]))
        found = columns(self.table(tmp_path, flux, sigma), 3, 3, roles)
        assert found.flux.tolist() == [5.0, 6.0, 7.0]
        for i in range(3):
            mean = 0.8 * flux[i, 1] / 100.0 + 0.2 * flux[i, 2] / 40.0
            assert found.reference[i] == pytest.approx(140.0 * mean)
            error = 140.0 * np.hypot(0.8 * 2.0 / 100.0, 0.2 * 2.0 / 40.0)
            assert found.reference_sigma[i] == pytest.approx(error)
        assert found.x.tolist() == [0.0, 1.0, 2.0]
        assert not found.flags.any()

    def test_one_reference_is_its_own_flux(self, tmp_path: Path) -> None:
        flux = np.array([[5.0, 100.0], [6.0, 110.0], [7.0, 90.0]])
        roles = Roles(0, np.array([1]), np.array([1.0]), np.array([97.0]))
        found = columns(self.table(tmp_path, flux, np.full((3, 2), 3.0)), 2, 3, roles)
        assert found.reference == pytest.approx(flux[:, 1])
        assert found.reference_sigma == pytest.approx([3.0] * 3)

    def test_no_reference_is_one_without_noise(self, tmp_path: Path) -> None:
        flux = np.array([[5.0], [6.0], [7.0]])
        found = columns(
            self.table(tmp_path, flux, np.ones((3, 1))), 1, 3, Roles(0, NONE, np.empty(0), np.empty(0))
        )
        assert found.reference.tolist() == [1.0] * 3
        assert found.reference_sigma.tolist() == [0.0] * 3

    def test_a_missing_reference_is_left_out_and_flagged(self, tmp_path: Path) -> None:
        flux = np.array([[5.0, 100.0, 40.0], [6.0, np.nan, 36.0], [7.0, np.nan, np.nan]])
        roles = Roles(0, np.array([1, 2]), np.array([0.8, 0.2]), np.array([100.0, 40.0]))
        found = columns(self.table(tmp_path, flux, np.full((3, 3), 2.0)), 3, 3, roles)
        assert found.reference[1] == pytest.approx(140.0 * 36.0 / 40.0)
        assert found.reference_sigma[1] == pytest.approx(140.0 * 2.0 / 40.0)
        assert np.isnan(found.reference[2])
        assert found.flags.tolist() == [0, Flag.REFERENCE_PARTIAL, Flag.BAD_REFERENCE]

    def test_flags_of_references(self, tmp_path: Path) -> None:
        flux = np.array([[5.0, 100.0], [6.0, -2.0], [np.nan, np.nan]])
        flags = np.array([[0, Flag.SATURATED], [Flag.SATURATED, 0], [Flag.LOST, Flag.LOST]], np.uint32)
        roles = Roles(0, np.array([1]), np.array([1.0]), np.array([100.0]))
        found = columns(self.table(tmp_path, flux, np.ones((3, 2)), flags), 2, 3, roles)
        assert found.flags.tolist() == [
            Flag.REFERENCE_SATURATED,
            Flag.SATURATED | Flag.BAD_REFERENCE,
            Flag.LOST,
        ]

    def test_a_reference_lost_in_its_noise(self, tmp_path: Path) -> None:
        """Under opaque cloud its flux is noise about zero, as often above it as below."""
        flux = np.array([[5.0, 100.0], [5.0, 29.0], [5.0, 31.0], [5.0, 4.0]])
        roles = Roles(0, np.array([1]), np.array([1.0]), np.array([100.0]))
        found = columns(self.table(tmp_path, flux, np.full((4, 2), 10.0)), 2, 4, roles)
        assert found.flags.tolist() == [0, Flag.BAD_REFERENCE, 0, Flag.BAD_REFERENCE]

    def test_a_reference_that_is_always_weak_stays(self, tmp_path: Path) -> None:
        flux = np.array([[5.0, 100.0], [5.0, 60.0], [5.0, 140.0]])
        roles = Roles(0, np.array([1]), np.array([1.0]), np.array([100.0]))
        found = columns(self.table(tmp_path, flux, np.full((3, 2), 40.0)), 2, 3, roles)
        assert found.flags.tolist() == [0, 0, 0]


class TestEquations:
    def test_by_hand(self) -> None:
        raw = measured(
            np.array([2.0, 4.0, 6.0, 5.0, 3.0]), 0.4, np.array([10.0, 20.0, 10.0, 40.0, 30.0]), 1.0
        )
        curve, quality = make_lightcurve(raw, times_of(5), np.zeros(5, bool), False)
        # medians 4 and 20
        expected = [
            (2 / 4) / (10 / 20),
            (4 / 4) / (20 / 20),
            (6 / 4) / (10 / 20),
            (5 / 4) / 2.0,
            (3 / 4) / 1.5,
        ]
        assert curve.ratio == pytest.approx(expected)
        for i in range(5):
            f, r = raw.flux[i], raw.reference[i]
            error = (20 / 4) * np.hypot(0.4 / r, f * 1.0 / r**2)
            assert curve.ratio_sigma[i] == pytest.approx(error)
        assert curve.flux_norm / curve.ratio == pytest.approx(curve.flux_norm[0] / curve.ratio[0])
        assert (quality.points, quality.good_points, quality.sigma_scale) == (5, 5, 1.0)

    def test_medians_are_over_usable_frames(self) -> None:
        raw = measured(
            np.array([2.0, 2.0, 900.0, 2.0, 2.0]), 0.1, np.array([10.0, 10.0, 700.0, 10.0, 10.0]), 0.1
        )
        raw.flags[2] = Flag.OFF_FRAME
        curve, quality = make_lightcurve(raw, times_of(5), np.zeros(5, bool), False)
        assert np.delete(curve.ratio, 2) == pytest.approx([1.0] * 4)
        assert np.isnan(curve.ratio[2])
        assert np.isnan(curve.ratio_sigma[2])
        assert curve.target_flux[2] == 900.0
        assert quality.good_points == 4
        assert not curve.baseline[2]

    def test_errors_are_those_of_many_trials(self) -> None:
        rng = np.random.default_rng(4)
        n = 20_000
        raw = measured(rng.normal(500, 20, n), 20.0, rng.normal(3000, 60, n), 60.0)
        curve, quality = make_lightcurve(raw, times_of(n), np.zeros(n, bool), False)
        assert np.median(curve.ratio_sigma) == pytest.approx(curve.ratio.std(), rel=0.03)
        assert quality.chi2_reduced == pytest.approx(1.0, abs=0.05)
        assert quality.scatter == pytest.approx(quality.predicted_scatter, rel=0.05)
        assert quality.median_snr == pytest.approx(1 / np.hypot(20 / 500, 60 / 3000), rel=0.03)

    def test_flux_norm_is_one_outside_of_the_event(self) -> None:
        rng = np.random.default_rng(5)
        light = np.ones(400)
        light[150:320] = 0.2
        raw = measured(800 * light + rng.normal(0, 16, 400), 16.0, np.full(400, 5000.0), 20.0)
        curve, _ = make_lightcurve(raw, times_of(400), np.zeros(400, bool), False)
        assert curve.flux_norm[:149].mean() == pytest.approx(1.0, abs=0.006)
        assert curve.flux_norm[151:319].mean() == pytest.approx(0.2, abs=0.006)
        assert not curve.baseline[150:320].any()
        assert curve.baseline[:140].all()

    def test_without_reference(self) -> None:
        raw = measured(np.array([8.0, 10.0, 12.0]), 1.0, np.ones(3), 0.0)
        curve, _ = make_lightcurve(raw, times_of(3), np.zeros(3, bool), True)
        assert curve.ratio == pytest.approx([0.8, 1.0, 1.2])
        assert curve.ratio_sigma == pytest.approx([0.1] * 3)

    def test_all_lost(self) -> None:
        raw = measured(np.full(4, np.nan), np.nan, np.full(4, np.nan), np.nan)
        raw.flags[:] = Flag.LOST
        curve, quality = make_lightcurve(raw, times_of(4), np.zeros(4, bool), False)
        assert np.isnan(curve.ratio).all()
        assert not curve.baseline.any()
        assert quality.good_points == 0
        assert np.isnan(quality.scatter)

    def test_a_target_that_is_never_seen(self) -> None:
        rng = np.random.default_rng(6)
        raw = measured(rng.normal(-3.0, 5.0, 60), 5.0, np.full(60, 900.0), 10.0)
        curve, quality = make_lightcurve(raw, times_of(60), np.zeros(60, bool), False)
        assert np.isfinite(curve.ratio).all()
        assert quality.points == 60


class TestErrorScale:
    def curve(self, factor: float, n: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(7)
        raw = measured(rng.normal(1000, 30, n), 30.0 / factor, np.full(n, 1e5), 1.0)
        return make_lightcurve(raw, times_of(n), np.zeros(n, bool), False)

    @pytest.mark.parametrize("factor", [0.5, 2.0, 5.0])
    def test_sigmas_follow_the_scatter_where_the_model_fails(self, factor: float) -> None:
        curve, quality = self.curve(factor, 1000)
        assert quality.sigma_scale == pytest.approx(factor, rel=0.06)
        assert quality.chi2_reduced == pytest.approx(1.0, abs=0.01)
        assert np.median(curve.target_sigma) == pytest.approx(30.0, rel=0.06)
        assert np.median(curve.flux_norm_sigma) == pytest.approx(0.03, rel=0.06)

    def test_a_model_that_holds_is_left_alone(self) -> None:
        curve, quality = self.curve(1.0, 1000)
        assert quality.sigma_scale == 1.0
        assert (curve.target_sigma == 30.0).all()

    def test_few_points_prove_nothing(self) -> None:
        assert self.curve(3.0, 29)[1].sigma_scale == 1.0
        assert self.curve(3.0, 60)[1].sigma_scale > 2.0


class TestOutOfEvent:
    def curve(
        self, n: int, spans: list[tuple[int, int, float]], noise: float, seed: int
    ) -> tuple[Floats, Floats]:
        light = np.ones(n)
        for start, stop, depth in spans:
            light[start:stop] -= depth
        return light + np.random.default_rng(seed).normal(0, noise, n), np.full(n, noise)

    def found(
        self, n: int, spans: list[tuple[int, int, float]], noise: float, seed: int = 1
    ) -> NDArray[np.bool_]:
        ratio, sigma = self.curve(n, spans, noise, seed)
        return out_of_event(ratio, sigma, np.ones(n, bool))

    @pytest.mark.parametrize("seed", range(10))
    @pytest.mark.parametrize("noise", [0.02, 0.3])
    def test_noise_is_no_event(self, seed: int, noise: float) -> None:
        assert self.found(500, [], noise, seed).all()

    @pytest.mark.parametrize("sigma", [0.02, 0.2])
    def test_noise_is_no_event_with_sigmas_ten_times_too_small_or_large(self, sigma: float) -> None:
        ratio, _ = self.curve(500, [], 0.06, 3)
        assert out_of_event(ratio, np.full(500, sigma / 3.0), np.ones(500, bool)).mean() > 0.99

    @pytest.mark.parametrize(
        "spans",
        [
            [(200, 201, 0.9)],
            [(200, 203, 0.9)],
            [(200, 230, 0.95)],
            [(100, 400, 1.0)],
            [(60, 480, 1.0)],
            [(0, 100, 0.8)],
            [(420, 500, 0.8)],
            [(50, 60, 0.9), (200, 260, 0.9), (400, 404, 0.9)],
        ],
        ids=str,
    )
    @pytest.mark.parametrize("noise", [0.02, 0.08])
    def test_deep_events_of_any_length(self, spans: list[tuple[int, int, float]], noise: float) -> None:
        baseline = self.found(500, spans, noise)
        inside = np.zeros(500, bool)
        for start, stop, _ in spans:
            inside[start:stop] = True
        assert not baseline[inside].any()
        near = np.convolve(inside, np.ones(31), "same") > 0
        assert baseline[~near].all()

    @pytest.mark.parametrize(("depth", "noise"), [(0.3, 0.06), (0.15, 0.05), (0.5, 0.3)])
    def test_shallow_long_events(self, depth: float, noise: float) -> None:
        baseline = self.found(1000, [(400, 600, depth)], noise)
        assert baseline[400:600].mean() < 0.1
        assert baseline[:370].mean() > 0.99
        assert baseline[630:].mean() > 0.99

    @pytest.mark.parametrize("length", [1, 3, 10])
    def test_a_flash_is_no_reason_to_throw_the_rest_away(self, length: int) -> None:
        """A cosmic ray, a satellite, or a reference that fades for a moment."""
        ratio, sigma = self.curve(500, [], 0.05, 2)
        ratio[240 : 240 + length] += 40.0
        assert out_of_event(ratio, sigma, np.ones(500, bool)).mean() > 0.9

    def test_a_flash_does_not_swell_the_errors(self) -> None:
        ratio, _ = self.curve(500, [], 0.05, 2)
        ratio[240:243] += 3.0
        raw = measured(1000 * ratio, 50.0, np.full(500, 1e5), 1.0)
        curve, quality = make_lightcurve(raw, times_of(500), np.zeros(500, bool), False)
        assert quality.sigma_scale == 1.0
        assert quality.chi2_reduced == pytest.approx(1.0, abs=0.15)
        assert not curve.baseline[240:243].any()
        assert np.isfinite(curve.ratio[240:243]).all()

    def test_a_flash_does_not_hide_an_event(self) -> None:
        ratio, sigma = self.curve(500, [(300, 340, 0.8)], 0.05, 2)
        ratio[100:103] += 40.0
        baseline = out_of_event(ratio, sigma, np.ones(500, bool))
        assert not baseline[300:340].any()
        assert baseline[:95].all()

    def test_slow_changes_are_no_event(self) -> None:
        ratio, sigma = self.curve(500, [], 0.03, 2)
        ratio *= np.linspace(0.85, 1.15, 500)
        assert out_of_event(ratio, sigma, np.ones(500, bool)).mean() > 0.95

    def test_unusable_samples_are_out_and_do_not_disturb(self) -> None:
        ratio, sigma = self.curve(500, [(200, 230, 0.9)], 0.05, 2)
        usable = np.ones(500, bool)
        usable[::7] = False
        ratio[::7] = np.nan
        baseline = out_of_event(ratio, sigma, usable)
        assert not baseline[::7].any()
        assert not baseline[200:230].any()
        assert baseline[usable].mean() > 0.9

    def test_too_few_to_tell(self) -> None:
        ratio = np.array([1.0, 1.0, 0.1, 1.0])
        assert out_of_event(ratio, np.full(4, 0.1), np.ones(4, bool)).all()
        assert not out_of_event(ratio, np.full(4, 0.1), np.zeros(4, bool)).any()


class TestStatistics:
    def test_level_and_chi2_by_hand(self) -> None:
        values, sigma = np.array([1.0, 2.0, 4.0]), np.array([1.0, 1.0, 2.0])
        level, error = weighted_level(values, sigma)
        assert level == pytest.approx((1 + 2 + 1) / 2.25)
        assert error == pytest.approx(2.25**-0.5)
        chi2 = ((1 - level) ** 2 + (2 - level) ** 2 + ((4 - level) / 2) ** 2) / 2
        assert reduced_chi2(values, sigma) == pytest.approx(chi2)

    def test_one_wild_value_does_not_move_the_level(self) -> None:
        values = np.append(np.random.default_rng(1).normal(1, 0.1, 200), 50.0)
        assert weighted_level(values, np.full(201, 0.1))[0] == pytest.approx(1.0, abs=0.03)

    def test_nothing_has_no_level(self) -> None:
        empty = np.empty(0)
        assert np.isnan(weighted_level(empty, empty)[0])
        assert np.isnan(reduced_chi2(np.ones(1), np.ones(1)))
        assert np.isnan(robust_sigma(empty))

    def test_robust_sigma(self) -> None:
        values = np.random.default_rng(1).normal(5, 2, 20_000)
        values[:500] = 1e6
        assert robust_sigma(values) == pytest.approx(2.0, rel=0.06)


class TestTimeFlags:
    def flags(self, mid: list[int], repeated: list[bool] | None = None) -> list[int]:
        n = len(mid)
        solution = replace(times_of(n), mid_ns=np.array(mid, np.int64))
        seen = np.zeros(n, bool) if repeated is None else np.array(repeated)
        return [int(flag) for flag in time_flags(solution, seen)]

    def test_even_times(self) -> None:
        assert self.flags([10, 20, 30, 40, 51]) == [0, 0, 0, 0, 0]

    def test_a_gap_marks_the_frame_after_it(self) -> None:
        assert self.flags([10, 20, 30, 50, 60, 70]) == [0, 0, 0, Flag.TIME_GAP, 0, 0]
        assert self.flags([10, 20, 30, 44, 54, 64]) == [0] * 6

    def test_backwards_and_standing_still(self) -> None:
        assert self.flags([10, 20, 30, 25, 35, 45, 55]) == [0, 0, 0, Flag.TIME_UNSURE, 0, 0, 0]
        assert self.flags([10, 20, 30, 30, 40, 50]) == [0, 0, 0, Flag.TIME_UNSURE, 0, 0]

    def test_unknown_times(self) -> None:
        mid = [10, 20, UNKNOWN_NS, 40, 50]
        assert self.flags(mid) == [0, 0, Flag.TIME_UNSURE, 0, 0]
        assert not time_flags(no_times(4), np.zeros(4, bool)).any()

    def test_repeats(self) -> None:
        repeated = [False, True, False, False]
        assert self.flags([10, 20, 30, 40], repeated) == [0, Flag.REPEATED, 0, 0]

    def test_repeated_samples_are_no_baseline(self) -> None:
        raw = measured(np.full(20, 5.0), 0.1, np.full(20, 50.0), 0.1)
        repeated = np.zeros(20, bool)
        repeated[7] = True
        curve, _ = make_lightcurve(raw, times_of(20), repeated, False)
        assert np.flatnonzero(~curve.baseline).tolist() == [7]
        assert curve.flags[7] == Flag.REPEATED
