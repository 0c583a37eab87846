"""Plate solutions in FITS headers, read by astropy; and other programs' headers read by us."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from gpu_kernels.transforms import similarity
from ingest.fits_cards import Card, header_bytes
from ingest.solve.header import read_wcs_file, wcs_cards, wcs_file
from reduction.astrometry.match import match_field
from reduction.astrometry.plane import separation
from reduction.astrometry.solution import SkySolution
from reduction.errors import RequestError
from tests.fuzzing import endure, fewer, mutations
from tests.reduction.astrometry.fields import make_field, wcs_of


def solved(distortion: float) -> SkySolution:
    field = make_field(3, 60, 2.0, distortion=distortion, mirrored=True)
    return match_field(field.seen, field.sky, field.centre, field.radius, (0.5, 8.0), frame=7).solution


@pytest.mark.parametrize("distortion", [0.0, 0.006])
def test_astropy_reads_the_same_sky(tmp_path: Path, distortion: float) -> None:
    solution = solved(distortion)
    (tmp_path / "a.wcs").write_bytes(wcs_file(solution))
    with fits.open(tmp_path / "a.wcs") as opened:
        header = opened[0].header
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a header without an image has fewer axes than its WCS
        wcs = WCS(header)
    x, y = np.meshgrid(np.linspace(0, 639, 9), np.linspace(0, 479, 7))
    ra, dec = solution.to_sky(x.ravel(), y.ravel())
    there = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
    assert separation(ra, dec, there[0], there[1]).max() * 3600 < 1e-6
    if distortion:
        linear = wcs.wcs_world2pix(np.stack([ra, dec], 1), 0) - (wcs.wcs.crpix - 1)
        for letter, axis, true in (("AP", 0, x.ravel()), ("BP", 1, y.ravel())):
            n = header[f"{letter}_ORDER"]
            powers = [(i, j) for i in range(n + 1) for j in range(n + 1 - i)]
            moved = sum(
                header[f"{letter}_{i}_{j}"] * linear[:, 0] ** i * linear[:, 1] ** j for i, j in powers
            )
            assert np.abs(linear[:, axis] + moved + wcs.wcs.crpix[axis] - 1 - true).max() < 0.02
    assert header["WCSFRAME"] == 7
    assert header["RADESYS"] == "ICRS"


def test_on_another_frame_and_with_a_third_axis() -> None:
    solution, step = solved(0.006), similarity(1.0, 3.0, 0.0, 0.0, 5.0, -2.0)
    there = solution.moved(step, 20)
    cards = [Card("CTYPE3", "RGB"), *wcs_cards(there, 3)]
    header = fits.Header.fromstring(header_bytes(cards).decode())
    wcs = WCS(header, naxis=2)
    x, y = np.array([10.0, 300.0]), np.array([20.0, 400.0])
    ra, dec = solution.to_sky(x, y)
    found = wcs.all_pix2world(*step.apply(x, y), 0)
    assert separation(ra, dec, found[0], found[1]).max() * 3600 < 1e-6
    assert header["CD3_3"] == 1.0


@pytest.mark.parametrize("form", ["fits", "text", "ours"])
def test_headers_of_other_programs(tmp_path: Path, form: str) -> None:
    wcs, path = wcs_of(50.0, -20.0, 1.5, 77.0, False, 640, 480), tmp_path / "b.wcs"
    header = wcs.to_header()
    if form == "text":
        path.write_text(header.tostring(sep="\n") + "\nEND\n")
    elif form == "fits":
        fits.PrimaryHDU(np.zeros((480, 640), np.uint8), header).writeto(path)
    else:
        path.write_bytes(wcs_file(solved(0.0)))
    read = read_wcs_file(path, 640, 480, 3)
    assert not read.sigma_known
    assert read.frame == (7 if form == "ours" else 3)
    assert read.sigma_px(0.0, 0.0) == pytest.approx(0.5, abs=0.01)
    truth = solved(0.0).to_sky(10.0, 400.0) if form == "ours" else wcs.all_pix2world([10.0], [400.0], 0)
    found = read.to_sky(10.0, 400.0)
    assert float(separation(*found, *(np.ravel(v)[0] for v in truth))) * 3600 < 1e-3


def test_what_is_no_solution_is_told(tmp_path: Path) -> None:
    path = tmp_path / "c.wcs"
    with pytest.raises(RequestError, match="cannot be read"):
        read_wcs_file(path, 640, 480)
    path.write_bytes(wcs_file(replace(solved(0.0), width=320)))
    with pytest.raises(RequestError, match="320 x 480"):
        read_wcs_file(path, 640, 480)
    fits.PrimaryHDU(np.zeros((480, 640), np.uint8)).writeto(path, overwrite=True)
    with pytest.raises(RequestError, match="no celestial WCS"):
        read_wcs_file(path, 640, 480)


@pytest.mark.parametrize("distortion", [0.0, 0.006])
def test_mutated_inputs_are_read_or_refused(tmp_path: Path, distortion: float) -> None:
    whole = wcs_file(solved(distortion))

    def read(path: Path) -> None:
        solution = read_wcs_file(path, 640, 480)
        assert np.isfinite(solution.scale_arcsec)

    endure(tmp_path / "m.wcs", mutations([whole], fewer(8) // 2, len(whole)), read, "FITS WCS header")
