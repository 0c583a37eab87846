"""What the page tells of a finding: all of a whole one; never an error of one that lacks something."""

import copy
import random
from typing import Any

import pytest

from tests.requirements import require

require("server")

from api.database.tables import now  # noqa: E402 - after the check for the extra
from api.observations.views import FileDetail  # noqa: E402
from api.web.findings import MOST_LISTED, found_in, instant_text, sigma_text  # noqa: E402
from tests.fuzzing import fewer  # noqa: E402

LOOK: dict[str, Any] = {
    "input": {"format": "ser", "frames": 1200, "width": 640, "height": 480, "bit_depth": 12, "colour": None},
    "verdict": {"state": "caution", "sentence": "±1 ms; 2 frames are missing"},
    "times": {
        "known": 1198, "first_utc": "2026-03-11T20:01:34.123", "last_utc": "2026-03-11T20:02:22.000",
        "source": "SER stamps", "meaning": "end", "sigma_s": 0.001, "sigma_max_s": 0.004, "cadence_s": 0.04,
        "exposure_s": 0.04, "gaps": 1,
    },
    "cadence": {"regular": True, "step_s": 0.04, "frames_missing": 2},
    "repeated": {"count": 0},
    "levels": {
        "minimum": 12.0, "median": 130.5, "maximum": 4095.0, "saturation": 4095.0,
        "saturated_fraction": 0.002, "saturation_source": "histogram",
    },
    "notes": [{"caveat": "frames_repeated", "message": "look here"}],
}  # fmt: skip
RECORDING = {
    "name": "a.ser", "role": "light", "format": "ser", "description": "SER video", "files": 1,
    "bytes": 9_000_000, "inspection": LOOK,
}  # fmt: skip
FITS = {
    "name": "n/a.fits", "format": "fits", "image_type": "light", "naxis": [640, 480], "date_obs": "2026",
    "exptime": 2,
}  # fmt: skip
FINDING: dict[str, Any] = {
    "recordings": [RECORDING], "files": [FITS] * (MOST_LISTED + 3), "sides": [["notes.txt", "text"]],
    "notes": ["odd"],
}  # fmt: skip


def detail(finding: dict[str, Any], role: Any = "recording") -> FileDetail:
    return FileDetail(
        id="1", observation="2", role=role, name="a.ser", size=1, sha256="0" * 64, state="accepted",
        message="", recordings=1, created=now(), finding=finding,
    )  # fmt: skip


def test_all_of_it() -> None:
    found = found_in(detail(FINDING))
    (recording,) = found.recordings
    told = {label: value for label, value, _ in recording.rows}
    assert recording.verdict == ("warn", "▲", "times: caution")
    assert recording.notes == ["look here"]
    assert told["First frame"] == "2026-03-11 20:01:34.123 UTC (mid-exposure)"
    assert told["Stamps name the"] == "end of each exposure"
    assert told["Uncertainty"] == "±1 ms (1 sigma), at most ±4 ms"
    assert told["Frames without a time"] == "2"
    assert told["Frames missing"] == "2"
    assert told["Levels"] == "12 / 130.5 / 4095 ADU (min / median / max)"
    assert told["Saturation"] == "at 4095 ADU, by the histogram; 0.20% of pixels reach it"
    assert found.frames[0] == ("n/a.fits", "light", "640 × 480", "2026", "2")
    assert (len(found.frames), found.unlisted) == (MOST_LISTED, 3)
    assert (found.sides, found.notes) == ([("notes.txt", "text")], ["odd"])


@pytest.mark.parametrize(
    ("text", "sigma", "told"),
    [
        ("2026-03-11T20:01:34.567049999", 0.021, "2026-03-11 20:01:34.567 UTC ± 0.021 s"),
        ("2026-03-11T20:01:59.99996Z", 0.002, "2026-03-11 20:02:00.0000 UTC ± 0.0020 s"),
        ("2026-03-11T20:01:34.567", 12.0, "2026-03-11 20:01:35 UTC ± 12 s"),
        ("2026-03-11T20:01:34.5", None, "2026-03-11 20:01:34.500 UTC ± unknown"),
        ("odd", 1.0, "odd UTC ± 1.0 s"),
    ],
)
def test_instants_have_the_digits_of_their_uncertainty(text: str, sigma: float | None, told: str) -> None:
    assert f"{instant_text(text, sigma)} ± {sigma_text(sigma)}" == told


def test_an_image() -> None:
    found = found_in(detail({"kind": "PNG", "width": 640, "height": 480}, "roi"))
    assert (found.kind, found.shown, found.role) == ("PNG, 640 × 480 px", True, "ROI image")
    assert not found_in(detail({"kind": "TIFF", "width": 640, "height": 480}, "roi")).shown


def test_a_recording_that_cannot_be_read() -> None:
    (recording,) = found_in(
        detail({"recordings": [{"name": "a.ser", "role": "light", "problem": "cut off"}]})
    ).recordings
    assert (recording.problem, recording.rows, recording.verdict) == ("cut off", [], None)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_lacks(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(fewer(8)):
        finding = copy.deepcopy(FINDING | {"files": [dict(FITS)]})
        look: dict[str, Any] = finding["recordings"][0]["inspection"]
        holders: list[Any] = [finding, finding["recordings"][0], finding["files"][0], look]
        holders += [value for value in look.values() if isinstance(value, dict)]
        for _ in range(rng.randrange(1, 6)):
            holder = rng.choice(holders)
            if holder:
                name = rng.choice(sorted(holder))
                if rng.random() < 0.5:
                    del holder[name]
                else:
                    holder[name] = None
        found_in(detail(finding))
