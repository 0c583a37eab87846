"""The crop against a slow twin, and what it must not depend on."""

import numpy as np
import pytest

from ingest.ocr.crop import HEIGHT, PITCH, TEXT_ROWS, Crop, is_white, normalise


def area(row: np.ndarray, low: float, high: float) -> float:
    """Mean of a step function over ``[low, high)``, its ends repeated: fine sampling."""
    at = low + (np.arange(4000) + 0.5) * (high - low) / 4000
    return float(row[np.clip(np.floor(at).astype(int), 0, row.size - 1)].mean())


def slow(field: np.ndarray, crop: Crop) -> np.ndarray:
    """The same by its definition: averages over rows, then columns, then contrast."""
    rows = (crop.bottom - crop.top) / TEXT_ROWS
    tall, wide, step = max(rows, 1.0), max(1 / crop.scale, 1.0), 1 / crop.scale
    columns = int(np.ceil((crop.right - crop.left) * crop.scale))
    out = np.empty((HEIGHT, columns))
    for i in range(HEIGHT):
        middle = crop.top + (i - 1.5 + 0.5) * rows
        line = np.array(
            [area(field[:, x], middle - tall / 2, middle + tall / 2) for x in range(field.shape[1])]
        )
        for j in range(columns):
            place = crop.left + (j + 0.5) * step
            low, high = max(place - wide / 2, 0.0), min(place + wide / 2, float(line.size))
            out[i, j] = area(line, low, high) if high - low > 1e-3 else line[0 if place < 1 else -1]
    out = out if crop.white else -out
    ordered = np.sort(out, axis=None)
    low, high = ordered[out.size // 2], ordered[int(0.985 * out.size)]
    return np.asarray(np.clip((out - low) / (high - low) * 255, 0, 255))


@pytest.mark.parametrize(
    "crop",
    [
        Crop(4.0, 17.0, 0.0, 60.0, PITCH),
        Crop(3.4, 21.0, 5.5, 50.0, 19.3),
        Crop(6.0, 12.5, -8.0, 70.0, 7.2, white=False),
    ],
)
def test_agrees_with_its_definition(crop: Crop) -> None:
    field = np.random.default_rng(5).integers(0, 255, (24, 60)).astype(np.uint8)
    found = normalise(field[None], crop)[0]
    expected = slow(field.astype(float), crop)
    assert found.shape == (HEIGHT, crop.width)
    assert crop.width % 16 == 0
    np.testing.assert_allclose(found[:, : expected.shape[1]], expected, atol=2.0)
    assert not found[:, expected.shape[1] :].any()


def test_does_not_depend_on_offset_gain_or_polarity() -> None:
    rng = np.random.default_rng(6)
    field = rng.random((1, 20, 80)) ** 4
    crop = Crop(3, 16, 0, 80, 14.0)
    plain = normalise(field, crop).astype(int)
    assert np.abs(normalise(1000 * field + 300, crop).astype(int) - plain).max() <= 1
    turned = Crop(3, 16, 0, 80, 14.0, white=False)
    assert np.abs(normalise(255 - 200 * field, turned).astype(int) - plain).max() <= 1


def test_a_flat_field_is_black() -> None:
    assert not normalise(np.full((2, 20, 80), 7, np.uint16), Crop(3, 16, 0, 80, 12.0)).any()


def test_polarity_by_the_third_moment() -> None:
    rng = np.random.default_rng(7)
    sky = rng.normal(100, 3, (14, 200))
    text = np.where(rng.random(sky.shape) < 0.15, 120.0, 0.0)
    assert is_white(sky + text)
    assert not is_white(sky - text)
