"""Mutated SER, FITS and video: frames or a clear error, nothing else (other formats: in their own tests)."""

from pathlib import Path

import numpy as np
import pytest

from ingest.formats import open_source
from ingest.writers import AviCodec, write_avi
from reduction.stack import FrameSource
from tests.contracts.sources import collect
from tests.fuzzing import COUNT, endure, mutations
from tests.ingest.fits_writer import Value, fits_bytes, write_fits, write_tiles
from tests.ingest.ser_writer import starry, utc_ns, write_ser

T0 = utc_ns("2026-03-01T21:00:00")


def read(path: Path) -> None:
    source: FrameSource = open_source(path)
    try:
        assert collect(source, 3).shape == source.info.shape
        assert source.times.mid_ns.shape == (source.info.frames,)
    finally:
        source.close()


def test_mutated_ser(tmp_path: Path) -> None:
    wholes = []
    for number, (top, colour) in enumerate([(255, 0), (65535, 9), (255, 100)]):
        frames = starry(4, 9, 8, sky=top / 9, peak=top / 3, top=top)
        if colour >= 100:
            frames = np.stack([frames] * 3, axis=-1)
        path = tmp_path / f"{number}.ser"
        stamps = [T0 + k * 40_000_000 for k in range(4)]
        wholes.append(write_ser(path, frames, colour=colour, stamps_ns=stamps).read_bytes())
    outcomes = endure(tmp_path / "damaged.ser", mutations(wholes, COUNT, 178), read, "ser")
    assert set(outcomes) == {"read", "DataError"}


@pytest.mark.parametrize("packing", ["plain", "gz", "fz"])
def test_mutated_fits(tmp_path: Path, packing: str) -> None:
    frames = starry(4, 9, 16, sky=900, peak=9000, top=65535)
    cards: dict[str, Value | tuple[Value, str]] = {
        "DATE-OBS": "2026-03-01T21:00:00.25",
        "EXPTIME": 0.4,
        "TIMESYS": "UTC",
        "CADENCE": 0.5,
    }
    path = tmp_path / {"plain": "w.fits", "gz": "w.fits.gz", "fz": "w.fits.fz"}[packing]
    if packing == "plain":
        wholes = [fits_bytes(frames, cards), fits_bytes(frames.astype(np.float32), {"BSCALE": 2.0})]
    else:
        writer = write_fits if packing == "gz" else write_tiles
        wholes = [writer(path, frames).read_bytes()]
    share = {"plain": 2, "gz": 4, "fz": 4}[packing]  # 2,000 between them: tiles go through astropy
    damaged = tmp_path / f"damaged.{path.name.split('.', 1)[1]}"
    inputs = mutations(wholes, COUNT // share, 6000 if packing == "fz" else 1600)
    outcomes = endure(damaged, inputs, read, f"fits {packing}")
    assert "DataError" in outcomes


def test_mutated_video(tmp_path: Path) -> None:
    frames = starry(5, 16, 16, sky=40, peak=99, top=255)
    wholes = []
    codecs: tuple[AviCodec, ...] = ("ffv1", "rawvideo")
    for codec in codecs:
        write_avi(tmp_path / f"{codec}.avi", frames, rate=25.0, codec=codec)
        wholes.append((tmp_path / f"{codec}.avi").read_bytes())
    outcomes = endure(tmp_path / "damaged.avi", mutations(wholes, COUNT, 1000), read, "avi")
    assert "read" in outcomes
    assert "DataError" in outcomes
