"""What `inspect` finds in recordings whose truth is known."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ingest.convert import convert
from ingest.inspection import inspect_recording
from ingest.inspection_text import inspection_text, seconds_text
from reduction.caveats import Caveat
from reduction.stack import FrameBlock, SourceInfo, frame_digest, pixel_digest
from reduction.timing import UNKNOWN_NS, TimeSolution, no_times
from tests.ingest.generating import GeneratedSource


class Frames:
    """A recording of given frames and times."""

    def __init__(self, frames: NDArray[Any], times: TimeSolution | None = None, bit_depth: int = 0) -> None:
        self._frames = frames
        self._times = no_times(len(frames)) if times is None else times
        colour = "rgb" if frames.ndim == 4 else "mono"
        self._info = SourceInfo("test", "t", frames.shape, frames.dtype.name, bit_depth, colour)  # type: ignore[arg-type]  # a literal

    @property
    def info(self) -> SourceInfo:
        return self._info

    @property
    def times(self) -> TimeSolution:
        return self._times

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        for first in range(start, len(self._frames), size):
            yield FrameBlock(first, self._frames[first : first + size])

    def close(self) -> None:
        pass


def sky(frames: int = 30, level: float = 40, sigma: float = 5, dtype: str = "uint8") -> NDArray[Any]:
    noise = np.random.default_rng(7).normal(level, sigma, (frames, 40, 50))
    return np.clip(np.rint(noise), 0, np.iinfo(dtype).max).astype(dtype)


def regular(n: int) -> TimeSolution:
    mid = 1_767_225_600_000_000_000 + np.arange(n, dtype=np.int64) * 40_000_000
    return TimeSolution(mid, np.full(n, 1e-3), np.full(n, 0.04), "start", "a clock")


class TestTimes:
    def test_regular(self) -> None:
        times = inspect_recording(Frames(sky(), regular(30))).times
        assert (times.known, times.gaps, times.meaning, times.source) == (30, 0, "start", "a clock")
        assert times.first_utc == "2026-01-01T00:00:00.000000Z"
        assert times.last_utc == "2026-01-01T00:00:01.160000Z"
        assert times.cadence_s == pytest.approx(0.04)
        assert (times.sigma_s, times.sigma_max_s, times.exposure_s) == (1e-3, 1e-3, 0.04)

    def test_gaps_are_placed(self) -> None:
        good = regular(30)
        mid = good.mid_ns.copy()
        mid[10:] += 80_000_000
        mid[20:] += 21_000_000
        times = inspect_recording(Frames(sky(), replace(good, mid_ns=mid))).times
        assert times.gaps == 2
        assert [(p.frame, round(p.seconds, 6)) for p in times.gap_places] == [(10, 0.12), (20, 0.061)]

    def test_unknown_times_are_no_gaps(self) -> None:
        good = regular(30)
        mid = good.mid_ns.copy()
        mid[[0, 12, 13, 29]] = UNKNOWN_NS
        times = inspect_recording(Frames(sky(), replace(good, mid_ns=mid))).times
        assert (times.known, times.gaps) == (26, 0)
        assert times.first_utc == "2026-01-01T00:00:00.040000Z"
        assert times.last_utc == "2026-01-01T00:00:01.120000Z"

    def test_none(self) -> None:
        found = inspect_recording(Frames(sky()))
        assert (found.times.known, found.times.first_utc, found.times.cadence_s) == (0, None, None)
        assert "  times      none\n" in inspection_text(found)

    def test_many_gaps_list_ten(self) -> None:
        good = regular(60)
        mid = good.mid_ns + np.repeat(np.arange(20), 3) * 50_000_000
        found = inspect_recording(Frames(sky(60), replace(good, mid_ns=mid)))
        assert found.times.gaps == 19
        assert len(found.times.gap_places) == 10
        assert "and 9 more" in inspection_text(found)


class TestPixels:
    def test_digest(self) -> None:
        frames = sky()
        leaves = np.array([np.frombuffer(frame_digest(f), np.uint8) for f in frames])
        assert inspect_recording(Frames(frames)).pixel_digest == pixel_digest(frames.shape, "uint8", leaves)

    def test_repeated_frames(self) -> None:
        frames = sky()
        frames[5] = frames[6] = frames[4]
        frames[20] = frames[4]  # equal, but not to its neighbour
        found = inspect_recording(Frames(frames))
        assert found.repeated == [5, 6]
        (note,) = found.notes
        assert note.caveat is Caveat.FRAMES_REPEATED

    def test_repeats_across_blocks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ingest.inspection.BLOCK_BYTES", 2000 * 5)
        frames = sky()
        frames[5] = frames[4]
        assert inspect_recording(Frames(frames)).repeated == [5]

    def test_levels(self) -> None:
        frames = sky()
        frames[17, 3, 3] = 99
        levels = inspect_recording(Frames(frames, bit_depth=8)).levels
        assert (levels.minimum, levels.maximum) == (float(frames.min()), 99.0)
        assert levels.median == pytest.approx(40, abs=1)
        assert (levels.saturation, levels.saturation_source) == (255.0, "bit depth")
        assert (levels.saturated_fraction, levels.black_clipped) == (0.0, False)

    def test_pile_up_below_the_full_scale(self) -> None:
        frames = sky(dtype="uint16")
        frames[:, 10:14, 10:14] = 1023
        levels = inspect_recording(Frames(frames, bit_depth=16)).levels
        assert (levels.saturation, levels.saturation_source) == (1023.0, "histogram")
        assert levels.saturated_fraction == pytest.approx(16 / 2000)

    def test_black_is_clipped(self) -> None:
        found = inspect_recording(Frames(sky(level=2, sigma=3)))
        assert found.levels.black_clipped
        assert found.levels.black_fraction == pytest.approx(0.31, abs=0.03)
        assert Caveat.BLACK_CLIPPED in {note.caveat for note in found.notes}

    def test_not_finite(self) -> None:
        frames = sky().astype(np.float32)
        frames[:, 0] = np.nan
        found = inspect_recording(Frames(frames))
        assert found.levels.not_finite_fraction == pytest.approx(1 / 40)
        assert found.levels.minimum == float(np.nanmin(frames))
        assert Caveat.NOT_FINITE in {note.caveat for note in found.notes}

    def test_nothing_finite(self) -> None:
        found = inspect_recording(Frames(np.full((3, 4, 5), np.nan, np.float32)))
        assert (found.levels.minimum, found.levels.median, found.levels.not_finite_fraction) == (
            None,
            None,
            1.0,
        )
        assert "no pixel is a number" in inspection_text(found)
        json.loads(found.json())

    def test_colour(self) -> None:
        frames = np.stack([sky(), sky() + 3, sky() + 6], 1)
        document = inspect_recording(Frames(frames, bit_depth=8)).document()
        assert (document["input"]["channels"], document["input"]["height"]) == (3, 40)


def test_document_is_stable() -> None:
    """Programs read it: fields are added, never renamed or removed."""
    document = json.loads(inspect_recording(Frames(sky(), regular(30), 8)).json())
    assert document["umbra_inspect"] == 1
    assert {key: sorted(value) for key, value in document.items() if isinstance(value, dict)} == {
        "cadence": ["flags", "frames_missing", "regular", "scatter_s", "step_s"],
        "verdict": ["sentence", "state"],
        "input": [
            "bit_depth",
            "channels",
            "colour",
            "dtype",
            "format",
            "frames",
            "height",
            "name",
            "pixel_digest",
            "width",
        ],
        "header": ["exposure_s", "gain_e_per_adu", "metadata", "read_noise_e"],
        "times": [
            "cadence_s",
            "exposure_s",
            "first_utc",
            "gap_places",
            "gaps",
            "known",
            "last_utc",
            "ledger",
            "meaning",
            "sigma_max_s",
            "sigma_s",
            "source",
        ],
        "repeated": ["count", "frames"],
        "levels": [
            "black_clipped",
            "black_fraction",
            "frames_sampled",
            "maximum",
            "median",
            "minimum",
            "not_finite_fraction",
            "saturated_fraction",
            "saturation",
            "saturation_source",
        ],
    }
    assert document["notes"] == []


def test_text() -> None:
    text = inspection_text(inspect_recording(Frames(sky(), regular(30), 8)))
    assert text.splitlines()[:9] == [
        "t: test",
        "  frames     30 of 50 x 40 px, mono, 8 bit (uint8)",
        "  verdict    times good: ±1 ms, regular within less than 1 µs",
        "  first      2026-01-01T00:00:00.000000Z mid-exposure",
        "  last       2026-01-01T00:00:01.160000Z",
        "  times      on all frames; a clock; stamps name the start of the exposure",
        "  sigma      1 ms",
        "  cadence    40 ms (25 frames/s)",
        "  exposure   40 ms",
    ]
    assert "  gaps       none\n  repeated   none\n" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "unknown"), (0.0, "0 s"), (2.5, "2.5 s"), (0.04, "40 ms"), (1e-4, "100 µs"), (3e-9, "3 ns")],
)
def test_seconds(value: float | None, text: str) -> None:
    assert seconds_text(value) == text


def test_a_stack_and_its_source_agree(tmp_path: Path) -> None:
    source = GeneratedSource(40)
    stack = convert(source, tmp_path / "a.zarr", shard=16)
    of_source, of_stack = inspect_recording(source), inspect_recording(stack)
    assert of_stack.pixel_digest == of_source.pixel_digest == stack.digest
    assert of_stack.levels == of_source.levels
    assert of_stack.times == of_source.times
    assert "a stack made from generated" in inspection_text(of_stack)


def test_progress_reaches_the_end() -> None:
    seen: list[tuple[int, int]] = []
    inspect_recording(Frames(sky()), lambda done, total: seen.append((done, total)))
    assert seen[-1] == (30, 30)
