"""The strips of `shared/data/vti` with their truth: an image for each field, a folder for each recording."""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.sample_data import sample

FOLDERS = {"002": 20, "004": 20, "005_tvsafe": 22, "007": 22, "009": 22, "011_tvsafe": 24}
PAL = {"002", "009", "011_tvsafe"}


@dataclass(frozen=True)
class Recording:
    """Strips of one folder: `even` and `odd` are ``(frame, y, x)``; `truth` holds what a person read."""

    even: NDArray[np.uint8]
    odd: NDArray[np.uint8]
    names: list[str]
    truth: dict[tuple[int, str], tuple[int, int]]
    step: float


@cache
def recording(folder: str) -> Recording:
    """Strips of a folder; skips where the samples are absent."""
    place = sample(f"vti/{folder}")
    numbers = sorted({path.name[:7] for path in place.glob("*.bmp")})
    truth = {}
    with (place.parent / "truth.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["folder"] == folder:
                seconds = int(row["hh"]) * 3600 + int(row["mm"]) * 60 + int(row["ss"])
                key = numbers.index(row["file"][:7]), row["file"][8:-4]
                truth[key] = seconds * 10_000 + int(row["ffff"]), int(row["field_number"])
    return Recording(
        even=np.stack([_strip(place / f"{n}-even.bmp") for n in numbers]),
        odd=np.stack([_strip(place / f"{n}-odd.bmp") for n in numbers]),
        names=numbers,
        truth=truth,
        step=200.0 if folder in PAL else 1_001_000 / 6_000,
    )


def _strip(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("L"), np.uint8)
