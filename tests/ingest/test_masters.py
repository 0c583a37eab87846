from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest import masters
from ingest.masters import load_master
from reduction.caveats import Caveat
from reduction.errors import RequestError
from tests.ingest.fits_writer import write_fits
from tests.ingest.ser_writer import write_ser

SHAPE = (13, 17)


def noisy(count: int, level: float, sigma: float = 3.0, seed: int = 3) -> NDArray[Any]:
    return np.random.default_rng(seed).normal(level, sigma, (count, *SHAPE)).round().astype(np.uint16)


def folder(path: Path, frames: NDArray[Any], kind: str, first: int = 0, **cards: Any) -> Path:
    path.mkdir(exist_ok=True)
    for i, frame in enumerate(frames, first):
        write_fits(path / f"c{i}.fits", frame, {"IMAGETYP": kind, **cards})
    return path


def test_one_frame_is_itself(tmp_path: Path) -> None:
    frame = noisy(1, 500)[0]
    master = load_master("dark", write_fits(tmp_path / "d.fits", frame, {"EXPTIME": 2.5}), SHAPE)
    np.testing.assert_array_equal(master.array, frame.astype(np.float32))
    assert (master.frames, master.exposure_s, master.array.dtype.name) == (1, 2.5, "float32")


def test_few_frames_give_their_median(tmp_path: Path) -> None:
    frames = noisy(4, 500)
    frames[2, 5, 5] = 60_000
    master = load_master("bias", folder(tmp_path / "b", frames, "Bias"), SHAPE)
    np.testing.assert_array_equal(master.array, np.median(frames, axis=0).astype(np.float32))


@pytest.mark.parametrize("sampled", [64, 8])
def test_many_frames_give_a_mean_without_outliers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sampled: int
) -> None:
    monkeypatch.setattr(masters, "SAMPLE_FRAMES", sampled)
    frames = noisy(40, 500)
    clean = frames.copy()
    frames[7, 5, 5] = frames[21, 6, :] = 60_000
    master = load_master("dark", write_ser(tmp_path / "d.ser", frames), SHAPE)
    hit = np.zeros(frames.shape, bool)
    hit[7, 5, 5] = hit[21, 6, :] = True
    expected = np.ma.MaskedArray(clean, hit).mean(axis=0)
    np.testing.assert_allclose(master.array, expected, atol=0.4)  # a clipped value of the noise's own tail
    assert np.abs(master.array - expected).mean() < 0.02
    assert np.std(master.array) < 3 / np.sqrt(40) * 1.3


def test_a_hot_pixel_with_its_own_noise_is_kept(tmp_path: Path) -> None:
    frames = noisy(30, 500)
    frames[:, 3, 3] = np.random.default_rng(1).normal(9000, 90, 30)
    master = load_master("dark", write_ser(tmp_path / "d.ser", frames), SHAPE)
    assert master.array[3, 3] == pytest.approx(frames[:, 3, 3].mean(), rel=0.01)


def test_flats_of_fading_twilight_are_brought_to_one_level(tmp_path: Path) -> None:
    shape = np.linspace(0.8, 1.2, SHAPE[1]) * np.ones(SHAPE)
    frames = np.array([shape * level for level in np.linspace(30_000, 10_000, 12)]).round().astype(np.uint16)
    frames[4, 2, 2] = 65_535
    master = load_master("flat", write_ser(tmp_path / "f.ser", frames), SHAPE)
    np.testing.assert_allclose(master.array / np.median(master.array), shape, rtol=2e-3)


def test_colour_and_not_finite_values(tmp_path: Path) -> None:
    frames = np.random.default_rng(5).normal(100, 1, (6, 3, *SHAPE)).astype(np.float32)
    frames[2, 0, 4, 4] = np.nan
    frames[:, 1, 0, 0] = np.nan
    master = load_master("dark", folder(tmp_path / "d", frames, "dark"), (3, *SHAPE))
    assert np.isnan(master.array[1, 0, 0])
    assert np.isfinite(master.array).sum() == master.array.size - 1
    np.testing.assert_allclose(master.array[0, 4, 4], np.nanmean(frames[:, 0, 4, 4]), rtol=1e-5)


def test_files_of_the_kind_are_taken_from_a_mixed_folder(tmp_path: Path) -> None:
    where = folder(tmp_path / "c", noisy(3, 500), "Dark Frame")
    folder(where, noisy(4, 9000), "FLAT", first=3)
    assert load_master("dark", where, SHAPE).frames == 3
    assert load_master("flat", where, SHAPE).frames == 4


def test_frames_called_otherwise_are_used_and_said(tmp_path: Path) -> None:
    master = load_master("dark", folder(tmp_path / "c", noisy(3, 500), "Light"), SHAPE)
    assert [note.caveat for note in master.notes] == [Caveat.IMAGE_TYPE_UNKNOWN]


def test_other_geometry_is_a_request_error_with_both_sizes(tmp_path: Path) -> None:
    path = folder(tmp_path / "c", noisy(3, 500), "Dark")
    with pytest.raises(RequestError, match=r"17 x 13 pixels, the recording has 20 x 10"):
        load_master("dark", path, (10, 20))
    with pytest.raises(RequestError, match="no such file"):
        load_master("dark", tmp_path / "nowhere", SHAPE)


def test_digest_is_of_the_combined_array(tmp_path: Path) -> None:
    frames = noisy(3, 500)
    one = load_master("dark", folder(tmp_path / "a", frames, "Dark"), SHAPE)
    two = load_master("dark", write_ser(tmp_path / "a.ser", frames), SHAPE)
    other = load_master("dark", write_ser(tmp_path / "b.ser", frames + 1), SHAPE)
    assert one.digest == two.digest != other.digest


def test_frames_go_through_the_response_one_by_one(tmp_path: Path) -> None:
    frames = np.random.default_rng(4).normal(40, 6, (30, *SHAPE)).round().clip(0, 255).astype(np.uint8)
    frames[3, 2, 2] = 255
    curve = (np.arange(256) ** 2 / 255).astype(np.float32)
    master = load_master("dark", write_ser(tmp_path / "d.ser", frames), SHAPE, curve)
    hit = frames == 255
    expected = np.ma.MaskedArray(curve[frames], hit).mean(axis=0)
    np.testing.assert_allclose(master.array, expected, atol=0.35)
    assert np.abs(master.array - expected).mean() < 0.02
    bent = curve[np.rint(frames.mean(axis=0)).astype(int)]
    assert np.mean(master.array - bent) > 0.08  # the mean of squares is not the square of the mean
