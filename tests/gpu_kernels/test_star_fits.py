"""Star fits, agreement and location against SciPy, brute force and the Cramer-Rao bound."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray
from scipy import optimize

from gpu_kernels._numba.stars import DIVERGED, FAINT, OFF, SATURATED, SEEN, SHARP
from gpu_kernels.align import StarFits, Stars, agree, fit_stars, locate
from gpu_kernels.transforms import Transform
from reduction.synthetic import position_bound_px, star_image
from reduction.synthetic.psf import FWHM_PER_SIGMA

Floats = NDArray[np.float64]


def turn(angle: float, tx: float, ty: float) -> Transform:
    return Transform(math.cos(angle), math.sin(angle), tx, ty)


SIGMA = 1.4
SKY = 50.0


def one_star(
    x: float, y: float, flux: float, rng: np.random.Generator | None = None, sky: float = SKY, size: int = 31
) -> Floats:
    """Electrons of one pixel-integrated Gaussian star on a flat sky, with Poisson noise."""
    mean = sky + flux * star_image(x, y, SIGMA * FWHM_PER_SIGMA, (size, size))
    return mean if rng is None else rng.poisson(mean).astype(np.float64)


def fit_twin(frame: Floats, start: tuple[float, float], variance: float) -> tuple[Floats, Floats]:
    """Weighted fit by SciPy, its weights renewed from the model: (x, y, flux, sky) and their errors."""
    half = max(2, math.ceil(2.5 * SIGMA))
    left, top = math.floor(start[0] + 0.5) - half, math.floor(start[1] + 0.5) - half
    n = 2 * half + 1
    box = frame[top : top + n, left : left + n]

    def model(_: object, x: float, y: float, flux: float, sky: float) -> Floats:
        image = star_image(x - left, y - top, SIGMA * FWHM_PER_SIGMA, (n, n))
        return np.asarray(sky + flux * image, np.float64).ravel()

    p = np.array([*start, box.sum() - SKY * n * n, SKY])
    pcov = np.empty((4, 4))
    for _ in range(15):
        star = np.maximum(model(None, *p) - p[3], 0.0)
        p, pcov = optimize.curve_fit(
            model, None, box.ravel(), p, sigma=np.sqrt(variance + star), absolute_sigma=True, xtol=1e-12
        )
    return p, np.sqrt(np.diag(pcov))


class TestStarFits:
    @pytest.mark.parametrize(
        ("x", "y", "flux"), [(15.0, 15.0, 3e3), (14.63, 15.28, 900.0), (15.49, 14.51, 4e4)]
    )
    def test_as_scipy_fits_it(self, x: float, y: float, flux: float) -> None:
        frame = one_star(x, y, flux, np.random.default_rng(4))
        start = (x + 0.2, y - 0.1)
        p, error = fit_twin(frame, start, SKY)
        fits = fit_stars(frame, np.array([start[0]]), np.array([start[1]]), 0, SIGMA, SKY, 1.0, np.inf)
        assert fits.status[0] == SEEN
        np.testing.assert_allclose([fits.x[0], fits.y[0]], p[:2], atol=2e-4)
        assert fits.flux[0] == pytest.approx(p[2], rel=1e-3)
        assert fits.error[0] == pytest.approx(math.hypot(error[0], error[1]) / math.sqrt(2), rel=0.01)
        assert fits.snr[0] == pytest.approx(p[2] / error[2], rel=0.01)

    @pytest.mark.parametrize(("flux", "sky"), [(1500.0, 400.0), (20_000.0, 10.0)], ids=["sky", "photons"])
    def test_errors_are_the_cramer_rao_bound(self, flux: float, sky: float) -> None:
        rng = np.random.default_rng(12)
        fwhm = SIGMA * FWHM_PER_SIGMA
        step, side = 22, 30
        picture = np.full((side * step, side * step), sky)
        at = np.arange(side) * step + step / 2
        x, y = (z.ravel() + rng.uniform(-0.5, 0.5, side * side) for z in np.meshgrid(at, at))
        for px, py in zip(x, y, strict=True):
            left, top = int(px) - 10, int(py) - 10
            picture[top : top + 21, left : left + 21] += flux * star_image(
                px - left, py - top, fwhm, (21, 21)
            )
        frame = rng.poisson(picture).astype(np.uint16)
        fits = fit_stars(frame, np.round(x), np.round(y), 0, SIGMA, sky, 1.0, np.inf)
        assert (fits.status == SEEN).all()
        off = np.concatenate([fits.x - x, fits.y - y])
        bound = position_bound_px(flux, fwhm, sky, 0.0)
        scatter = 1.4826 * float(np.median(np.abs(off)))
        assert scatter == pytest.approx(bound, rel=0.15)
        assert float(off.std()) == pytest.approx(bound, rel=0.15)
        assert float(np.median(fits.error)) == pytest.approx(bound, rel=0.15)
        assert abs(off.mean()) < 4.0 * off.std() / math.sqrt(off.size)
        # the phase within the pixel does not pull either
        phase = np.concatenate([x - np.round(x), y - np.round(y)])
        slope = float((off * phase).sum() / (phase**2).sum())
        assert abs(slope) < 4.0 * off.std() / math.sqrt((phase**2).sum())
        error = flux / fits.snr
        pull = (fits.flux - flux) / error
        assert abs(pull.mean()) < 0.3
        assert pull.std() == pytest.approx(1.0, abs=0.15)

    def test_search_finds_the_brightest_star_in_reach(self) -> None:
        frame = one_star(20.3, 11.8, 5000.0, np.random.default_rng(3))
        where = np.array([15.0]), np.array([15.0])
        near = fit_stars(frame, *where, 7, SIGMA, SKY, 1.0, np.inf)
        assert near.status[0] == SEEN
        assert (near.x[0], near.y[0]) == (pytest.approx(20.3, abs=0.1), pytest.approx(11.8, abs=0.1))
        far = fit_stars(frame, *where, 3, SIGMA, SKY, 1.0, np.inf)
        assert far.status[0] != SEEN or far.snr[0] < 5.0

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
    def test_every_pixel_type(self, dtype: DTypeLike) -> None:
        frame = np.rint(one_star(15.2, 14.9, 900.0)).astype(dtype)
        fits = fit_stars(frame, np.array([15.0]), np.array([15.0]), 2, SIGMA, SKY, 1.0, np.inf)
        assert fits.status[0] == SEEN
        assert fits.x[0] == pytest.approx(15.2, abs=0.02)

    def test_stars_do_not_know_of_each_other(self) -> None:
        frame = one_star(15.2, 14.9, 900.0, np.random.default_rng(1))
        x, y = np.array([15.0, 2.0, np.nan, 8.0]), np.array([15.0, 2.0, 3.0, 25.0])
        together = fit_stars(frame, x, y, 3, SIGMA, SKY, 1.0, np.inf)
        for k in range(4):
            alone = fit_stars(frame, x[k : k + 1], y[k : k + 1], 3, SIGMA, SKY, 1.0, np.inf)
            assert alone.status[0] == together.status[k]
            np.testing.assert_array_equal(alone.x[0], together.x[k])
            np.testing.assert_array_equal(alone.flux[0], together.flux[k])

    @pytest.mark.parametrize(
        "place", [(-20.0, 15.0), (15.0, 400.0), (0.2, 15.0), (15.0, 30.6), (np.nan, 15.0)]
    )
    @pytest.mark.parametrize("search", [0, 4])
    def test_off_the_frame(self, place: tuple[float, float], search: int) -> None:
        frame = one_star(place[0], place[1], 9000.0) if np.isfinite(place[0]) else one_star(15, 15, 9000.0)
        fits = fit_stars(frame, np.array([place[0]]), np.array([place[1]]), search, SIGMA, SKY, 1.0, np.inf)
        assert fits.status[0] in {OFF, FAINT, DIVERGED}
        assert fits.status[0] == OFF or search > 0

    def test_a_missing_pixel_under_the_star_takes_it_out(self) -> None:
        frame = one_star(15.0, 15.0, 9000.0)
        frame[15, 15] = np.nan
        fits = fit_stars(frame, np.array([15.0]), np.array([15.0]), 0, SIGMA, SKY, 1.0, np.inf)
        assert fits.status[0] == OFF

    def test_a_missing_pixel_beside_the_star_does_no_harm(self) -> None:
        frame = one_star(15.2, 14.9, 9000.0)
        frame[11, 12] = np.nan
        fits = fit_stars(frame, np.array([15.0]), np.array([15.0]), 4, SIGMA, SKY, 1.0, np.inf)
        assert fits.status[0] == SEEN
        np.testing.assert_allclose([fits.x[0], fits.y[0], fits.flux[0]], [15.2, 14.9, 9000.0], rtol=1e-3)

    def test_saturated_and_hot_and_faint(self) -> None:
        bright = np.minimum(one_star(15.0, 15.0, 60_000.0), 4000.0)
        hot = one_star(15.0, 15.0, 0.0)
        hot[15, 15] = 900.0
        dark = one_star(15.0, 15.0, 0.0)
        dark[15, 15] -= 20.0
        at = np.array([15.0]), np.array([15.0])
        codes = [
            int(fit_stars(frame, *at, 0, SIGMA, SKY, 1.0, 4000.0).status[0]) for frame in (bright, hot, dark)
        ]
        assert codes == [SATURATED, SHARP, FAINT]

    def test_nothing_but_nan(self) -> None:
        frame = np.full((31, 31), np.nan)
        for search in (0, 3):
            fits = fit_stars(frame, np.array([15.0]), np.array([15.0]), search, SIGMA, SKY, 1.0, np.inf)
            assert fits.status[0] != SEEN


def fits_at(x: Floats, y: Floats, error: Floats) -> StarFits:
    n = x.size
    return StarFits(x, y, np.full(n, 1e4), error, np.full(n, 50.0), np.zeros(n, np.int64))


def rigid_twin(u: Floats, v: Floats, x: Floats, y: Floats, w: Floats, rotate: bool) -> Transform:
    """Weighted Kabsch by singular values."""
    a, b = np.stack([u, v]), np.stack([x, y])
    ma, mb = (a * w).sum(1, keepdims=True) / w.sum(), (b * w).sum(1, keepdims=True) / w.sum()
    c, s = 1.0, 0.0
    if rotate and u.size > 1:
        left, _, right = np.linalg.svd((a - ma) * w @ (b - mb).T)
        r = right.T @ np.diag([1.0, np.linalg.det(right.T @ left.T)]) @ left.T
        c, s = float(r[0, 0]), float(r[1, 0])
    t = mb - np.array([[c, -s], [s, c]]) @ ma
    return Transform(c, s, float(t[0, 0]), float(t[1, 0]))


def largest_agreement(u: Floats, v: Floats, fits: StarFits, rotate: bool, tolerance: float) -> set[int]:
    """Try every subset, the largest first."""
    w = 1.0 / (fits.error**2 + 0.02**2)
    for size in range(u.size, 0, -1):
        for subset in itertools.combinations(range(u.size), size):
            k = list(subset)
            t = rigid_twin(u[k], v[k], fits.x[k], fits.y[k], w[k], rotate)
            px, py = t.apply(u[k], v[k])
            if np.hypot(px - fits.x[k], py - fits.y[k]).max() < tolerance:
                return set(subset)
    return set()


class TestAgreement:
    @given(
        seed=st.integers(0, 10_000),
        degrees=st.floats(-7.5, 7.5),
        shift=st.tuples(st.floats(-40, 40), st.floats(-40, 40)),
        wrong=st.integers(0, 2),
        rotate=st.booleans(),
    )
    @settings(max_examples=40, deadline=None)
    def test_as_every_subset_tried(
        self, seed: int, degrees: float, shift: tuple[float, float], wrong: int, rotate: bool
    ) -> None:
        rng = np.random.default_rng(seed)
        n = 6
        cell = rng.permutation(9)[:n]
        u = 60.0 + 90.0 * (cell % 3) + rng.uniform(-20, 20, n)
        v = 60.0 + 90.0 * (cell // 3) + rng.uniform(-20, 20, n)
        error = rng.uniform(0.01, 0.1, n)
        x, y = turn(math.radians(degrees) if rotate else 0.0, *shift).apply(u, v)
        x, y = x + error * rng.normal(size=n), y + error * rng.normal(size=n)
        for k in range(wrong):
            x[k] += (7.0 + 3 * k) * (-1) ** k
            y[k] -= 6.0 * (k + 1)
        fits = fits_at(x, y, error)
        found, used = agree(u, v, fits, np.ones(n, bool), rotate)
        assert set(np.flatnonzero(used).tolist()) == largest_agreement(u, v, fits, rotate, 0.6)
        w = 1.0 / (error**2 + 0.02**2)
        twin = rigid_twin(u[used], v[used], x[used], y[used], w[used], rotate)
        np.testing.assert_allclose(
            (found.c, found.s, found.tx, found.ty), (twin.c, twin.s, twin.tx, twin.ty), atol=1e-9
        )

    @pytest.mark.parametrize("degrees", [-8.0, -3.0, 0.1, 5.0, 8.0])
    def test_rotation_from_two_stars(self, degrees: float) -> None:
        u, v = np.array([50.0, 250.0]), np.array([60.0, 180.0])
        x, y = turn(math.radians(degrees), 12.0, -30.0).apply(u, v)
        found, used = agree(
            u, v, fits_at(x, y, np.full(2, 0.02)), np.ones(2, bool), True, max_rotation_deg=8.001
        )
        assert used.all()
        assert found.rotation_deg == pytest.approx(degrees, abs=1e-6)

    def test_more_rotation_than_allowed_is_not_believed(self) -> None:
        rng = np.random.default_rng(0)
        u, v = rng.uniform(0, 300, (2, 5))
        x, y = turn(math.radians(20.0), 0.0, 0.0).apply(u, v)
        _, used = agree(u, v, fits_at(x, y, np.full(5, 0.02)), np.ones(5, bool), True)
        assert used.sum() <= 1

    def test_one_star_gives_a_shift(self) -> None:
        found, used = agree(
            np.array([10.0]), np.array([20.0]), fits_at(np.array([13.0]), np.array([18.5]), np.array([0.1])),
            np.array([True]), True,
        )  # fmt: skip
        assert used.all()
        assert (found.c, found.s) == (1.0, 0.0)
        assert [found.tx, found.ty] == pytest.approx([3.0, -1.5])

    def test_two_stars_that_disagree_leave_one(self) -> None:
        u, v = np.array([10.0, 200.0]), np.array([20.0, 150.0])
        fits = fits_at(u + np.array([3.0, 30.0]), v, np.array([0.02, 0.2]))
        found, used = agree(u, v, fits, np.ones(2, bool), True)
        assert used.tolist() == [True, False]
        assert found.tx == pytest.approx(3.0)

    def test_stars_that_are_not_good_do_not_count(self) -> None:
        u = np.array([10.0, 100.0, 200.0])
        fits = fits_at(u + np.array([1.0, 9.0, 9.0]), u, np.full(3, 0.05))
        found, used = agree(u, u, fits, np.array([True, False, False]), False)
        assert used.tolist() == [True, False, False]
        assert found.tx == pytest.approx(1.0)

    def test_no_star_no_transform(self) -> None:
        u = np.array([10.0, 100.0])
        _, used = agree(u, u, fits_at(u, u, np.full(2, 0.05)), np.zeros(2, bool), True)
        assert not used.any()
        empty = np.empty(0)
        _, used = agree(empty, empty, fits_at(empty, empty, empty), np.zeros(0, bool), True)
        assert used.size == 0


class TestLocation:
    """Two steps, leaders first, must end where fitting every star over the whole radius does."""

    def picture(self, x: Floats, y: Floats, flux: Floats, seed: int) -> NDArray[np.uint16]:
        image = np.full((200, 260), SKY)
        for px, py, light in zip(x, y, flux, strict=True):
            image += light * star_image(px, py, SIGMA * FWHM_PER_SIGMA, image.shape)
        return np.random.default_rng(seed).poisson(image).astype(np.uint16)

    def places(self) -> tuple[Floats, Floats, Floats]:
        u = np.array([40.3, 200.7, 120.2, 70.9, 220.1, 150.6, 30.4])
        v = np.array([50.8, 40.2, 100.5, 150.3, 160.7, 170.2, 110.9])
        return u, v, np.geomspace(40_000.0, 1500.0, 7)

    @given(
        seed=st.integers(0, 10_000),
        shift=st.tuples(st.floats(-5, 5), st.floats(-5, 5)),
        degrees=st.floats(-1.0, 1.0),
        rotate=st.booleans(),
        gone=st.sets(st.integers(0, 6), max_size=2),
    )
    @settings(max_examples=25, deadline=None)
    def test_as_fitting_every_star(
        self, seed: int, shift: tuple[float, float], degrees: float, rotate: bool, gone: set[int]
    ) -> None:
        u, v, flux = self.places()
        middle = turn(0.0, -130.0, -100.0)
        spin = turn(math.radians(degrees) if rotate else 0.0, 130.0 + shift[0], 100.0 + shift[1])
        x, y = spin.after(middle).apply(u, v)
        light = np.where([k in gone for k in range(7)], 0.0, flux)
        frame = self.picture(x, y, light, seed)
        stars = Stars(SIGMA, SKY, 1.0, np.inf)
        step, fits, used = locate(frame, u, v, stars, 8, rotate)
        every = fit_stars(frame, u, v, 8, SIGMA, SKY, 1.0, np.inf)
        good = (every.status == SEEN) & (every.snr >= 4.0)
        twin, together = agree(u, v, every, good, rotate)
        assert set(np.flatnonzero(together)) <= set(np.flatnonzero(used))
        assert not set(np.flatnonzero(used)) & gone or not (fits.snr[list(gone)] > 6).any()
        px, py = step.apply(u, v)
        tx, ty = twin.apply(u, v)
        assert np.hypot(px - tx, py - ty).max() < 0.1
        assert np.hypot(px - x, py - y).max() < 0.15

    def test_a_frame_without_stars_is_not_placed(self) -> None:
        u, v, flux = self.places()
        frame = self.picture(u, v, 0.0 * flux, 3)
        _, fits, used = locate(frame, u, v, Stars(SIGMA, SKY, 1.0, np.inf), 8, False, least_snr=6.0)
        assert not used.any()
        assert fits.x.size == 7

    def test_stars_off_the_frame_do_no_harm(self) -> None:
        u, v, flux = self.places()
        frame = self.picture(u - 100.0, v, flux, 3)
        step, _, used = locate(frame, u - 98.0, v + 1.0, Stars(SIGMA, SKY, 1.0, np.inf), 8, False)
        assert used.sum() >= 3
        assert [step.tx, step.ty] == pytest.approx([-2.0, -1.0], abs=0.05)
