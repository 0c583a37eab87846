"""What a recording holds: geometry, times and how sure they are, gaps, repeats, levels."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.burnt_in import BurntInSource
from ingest.cadence import Cadence, cadence_notes, find_cadence
from ingest.stack import ZarrStack, with_blank
from ingest.stamps import GAP_CADENCES
from ingest.time_verdict import TimeVerdict, judge_times
from reduction.caveats import Caveat, Note
from reduction.integration import may_integrate
from reduction.levels import LOSSY_LEVELS, TopSamples, is_lossy, joined, saturation_level, top_samples
from reduction.repeats import blocks_of, pixel_step, variance_of
from reduction.stack import FrameSource, SourceInfo, frame_digest, pixel_digest
from reduction.timing import TimeSolution, utc_text

BLOCK_BYTES = 16 << 20
SAMPLED_FRAMES = 24
SAMPLED_PIXELS = 1 << 18
PLACES = 10
BLACK_FRACTION = 0.01


@dataclass(frozen=True, slots=True)
class Place:
    """Where time jumps: the frame after the gap, and seconds from the frame before it."""

    frame: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Times:
    """What is known of the times; seconds, UTC as ISO-8601; None where unknown.

    Attributes
    ----------
    known : int
        Frames with a time.
    first_utc, last_utc : str or None
        Mid-exposure of the first and the last frame that have one.
    source : str
        Where the times come from.
    meaning : str or None
        Which instant of its exposure a stamp names.
    sigma_s, sigma_max_s, cadence_s, exposure_s : float or None
        Medians, and the largest sigma.
    gaps : int
        Intervals of more than one and a half cadences.
    gap_places : list of Place
        The first of them.
    ledger : list of dict
        The corrections from stamp to mid-exposure.
    """

    known: int
    first_utc: str | None
    last_utc: str | None
    source: str
    meaning: str | None
    sigma_s: float | None
    sigma_max_s: float | None
    cadence_s: float | None
    exposure_s: float | None
    gaps: int
    gap_places: list[Place]
    ledger: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Levels:
    """Recorded levels, ADU.

    Attributes
    ----------
    minimum, maximum : float or None
        Of all frames; None when no pixel is finite.
    median : float or None
        Of a sample of frames and pixels.
    saturation : float or None
        Level at which the histogram piles up, else the largest of the bit depth.
    saturation_source : str
        ``histogram``, ``bit depth`` or ``unknown``.
    saturated_fraction : float
        Of the sample, at or above saturation.
    black_fraction : float
        Of the sample, at the smallest level that can be recorded.
    black_clipped : bool
        More than one per cent are there: the sky's noise is cut off.
    not_finite_fraction : float
        Of the sample.
    frames_sampled : int
        Frames in the sample.
    """

    minimum: float | None
    median: float | None
    maximum: float | None
    saturation: float | None
    saturation_source: str
    saturated_fraction: float
    black_fraction: float
    black_clipped: bool
    not_finite_fraction: float
    frames_sampled: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What `umbra inspect` tells.

    Attributes
    ----------
    info : SourceInfo
        The recording.
    pixel_digest : str
        Digest of its pixels.
    times : Times
    repeated : list of int
        Frames whose pixels equal those of the frame before.
    levels : Levels
    notes : tuple of Note
        Caveats of the recording, of its times, and those found here.
    solution : TimeSolution
        The times themselves.
    cadence : Cadence
        How regular they are, and which frames are missing or too many.
    verdict : TimeVerdict
        Whether they can be trusted.
    """

    info: SourceInfo
    pixel_digest: str
    times: Times
    repeated: list[int]
    levels: Levels
    notes: tuple[Note, ...]
    solution: TimeSolution
    cadence: Cadence
    verdict: TimeVerdict

    def document(self) -> dict[str, Any]:
        """The same as a JSON document; its fields stay."""
        info = self.info
        return {
            "umbra_inspect": 1,
            "input": {
                "name": info.name,
                "format": info.format,
                "frames": info.frames,
                "width": info.width,
                "height": info.height,
                "channels": info.shape[1] if len(info.shape) == 4 else 1,
                "dtype": info.dtype,
                "bit_depth": info.bit_depth,
                "colour": info.colour,
                "pixel_digest": self.pixel_digest,
            },
            "header": {
                "exposure_s": info.exposure_s,
                "gain_e_per_adu": info.gain_e_per_adu,
                "read_noise_e": info.read_noise_e,
                "metadata": dict(info.metadata),
            },
            "verdict": asdict(self.verdict),
            "times": asdict(self.times),
            "cadence": self.cadence.document(),
            "repeated": {"count": len(self.repeated), "frames": self.repeated[:PLACES]},
            "levels": asdict(self.levels),
            "notes": [{"caveat": note.caveat.value, "message": note.message} for note in self.notes],
        }

    def json(self) -> str:
        """`document` as text, with a newline at its end."""
        return json.dumps(self.document(), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def inspect_recording(source: FrameSource, progress: Callable[[int, int], None] | None = None) -> Inspection:
    """Read a recording once, in bounded memory, and tell what it holds.

    Parameters
    ----------
    source : FrameSource
        The recording; not closed here.
    progress : callable, optional
        Called with frames done and frames in all.

    Raises
    ------
    DataError
        A frame is unreadable.
    """
    if isinstance(source, BurntInSource):
        source.keep_digits()
    scan = _Scan(source.info)
    stored = source.known_digests if isinstance(source, ZarrStack) else None
    for start, frame in _frames(source, progress):
        scan.add(start, frame, None if stored is None else stored[start].tobytes())
    levels = scan.levels()
    repeated = scan.repeated
    same = np.zeros(source.info.frames, np.bool_)
    same[repeated] = True
    cadence = find_cadence(source.times, same)
    leaves = np.frombuffer(b"".join(scan.digests), np.uint8).reshape(-1, 32)
    info = with_blank(source.info, leaves)
    notes = [*info.notes, *source.times.notes, *cadence_notes(cadence), *scan.pictures()]
    if repeated:
        text = f"{len(repeated)} frames have the pixels of the frame before, the first is frame {repeated[0]}"
        notes.append(Note(Caveat.FRAMES_REPEATED, text))
    if levels.black_clipped:
        text = f"{levels.black_fraction:.1%} of pixels are at the lowest level: the sky's noise is cut off"
        notes.append(Note(Caveat.BLACK_CLIPPED, text))
    if levels.not_finite_fraction > 0:
        text = f"{levels.not_finite_fraction:.2%} of pixels are not numbers"
        notes.append(Note(Caveat.NOT_FINITE, text))
    return Inspection(
        info=source.info,
        pixel_digest=pixel_digest(source.info.shape, source.info.dtype, leaves),
        times=describe_times(source.times),
        repeated=repeated,
        levels=levels,
        notes=_one_of_each(notes),
        solution=source.times,
        cadence=cadence,
        verdict=judge_times(source.times, cadence, notes),
    )


def _one_of_each(notes: list[Note]) -> tuple[Note, ...]:
    """The first note of each caveat that says the same: found by the reader, no need to say it twice."""
    found_here = {Caveat.FRAMES_REPEATED, Caveat.BLACK_CLIPPED, Caveat.NOT_FINITE}
    kept: list[Note] = []
    for note in dict.fromkeys(notes):
        if note.caveat in found_here and any(note.caveat is other.caveat for other in kept):
            continue
        kept.append(note)
    return tuple(kept)


def _frames(
    source: FrameSource, progress: Callable[[int, int], None] | None
) -> Iterator[tuple[int, NDArray[Any]]]:
    total = source.info.frames
    for block in source.blocks(max(1, BLOCK_BYTES // max(1, source.info.frame_bytes))):
        for k, frame in enumerate(block.frames):
            yield block.start + k, frame
        if progress is not None:
            progress(block.start + len(block.frames), total)


@dataclass(slots=True)
class _Scan:
    """One pass over the frames."""

    info: SourceInfo
    digests: list[bytes] = field(default_factory=list)
    repeated: list[int] = field(default_factory=list)
    lowest: float = math.inf
    highest: float = -math.inf
    sampled: list[NDArray[Any]] = field(default_factory=list)
    top: list[TopSamples] = field(default_factory=list)
    before: NDArray[np.float32] | None = None
    differences: list[float] = field(default_factory=list)

    def add(self, number: int, frame: NDArray[Any], digest: bytes | None) -> None:
        own = frame_digest(frame) if digest is None else digest
        if self.digests and self.digests[-1] == own:
            self.repeated.append(number)
        self.digests.append(own)
        self._differ(frame)
        low, high = frame.min(), frame.max()
        if not (np.isfinite(low) and np.isfinite(high)):
            finite = frame[np.isfinite(frame)]
            low, high = (finite.min(), finite.max()) if finite.size else (math.inf, -math.inf)
        self.lowest, self.highest = min(self.lowest, float(low)), max(self.highest, float(high))
        if number in self._chosen():
            self.sampled.append(frame.ravel()[:: frame.size // SAMPLED_PIXELS | 1].copy())
            self.top.append(top_samples([frame]))

    def _differ(self, frame: NDArray[Any]) -> None:
        """Note how this frame differs from the one before, where it may repeat its picture."""
        if may_integrate(self.info):
            step = pixel_step(self.info)
            sample = frame[..., ::step, ::step].astype(np.float32)
            if self.before is not None:
                self.differences.append(variance_of(sample - self.before))
            self.before = sample

    def pictures(self) -> list[Note]:
        """What to say of an integrating camera."""
        blocks = blocks_of(np.array(self.differences)) if self.differences else None
        if blocks is None:
            return []
        first = int(blocks.starts[1]) if blocks.lead else 0
        text = (
            f"{blocks.length} video frames show one picture, the first whole one begins with frame {first}: "
            "an integrating camera; a reduction joins them, and --camera NAME takes off its delay"
        )
        return [Note(Caveat.INTEGRATED, text)]

    def _chosen(self) -> range:
        step = max(1, -(-self.info.frames // SAMPLED_FRAMES))
        return range(0, self.info.frames, step)

    def levels(self) -> Levels:
        values = np.concatenate(self.sampled)
        finite = values[np.isfinite(values)]
        known = math.isfinite(self.lowest)
        dtype = np.dtype(self.info.dtype)
        level, source = math.inf, "unknown"
        if known:
            level, source = saturation_level(
                joined(self.top),
                self.highest,
                self.info.bit_depth,
                dtype,
                LOSSY_LEVELS if is_lossy(self.info) else 0,
            )
        floor = float(np.iinfo(dtype).min) if dtype.kind in "ui" else self.lowest
        black = float((finite == floor).mean()) if finite.size and dtype.kind in "ui" else 0.0
        return Levels(
            minimum=self.lowest if known else None,
            median=float(np.median(finite)) if finite.size else None,
            maximum=self.highest if known else None,
            saturation=level if math.isfinite(level) else None,
            saturation_source=source,
            saturated_fraction=float((finite >= level).mean()) if finite.size else 0.0,
            black_fraction=black,
            black_clipped=black > BLACK_FRACTION,
            not_finite_fraction=1.0 - finite.size / values.size,
            frames_sampled=len(self.sampled),
        )


def describe_times(times: TimeSolution) -> Times:
    """Summary of a time solution."""
    known = np.flatnonzero(times.known)
    cadence = times.cadence_s()
    steps = np.diff(times.mid_ns[known]) * 1e-9
    gaps = np.empty(0, np.intp)
    if cadence is not None and cadence > 0:
        gaps = np.flatnonzero((np.diff(known) == 1) & (steps > GAP_CADENCES * cadence))
    return Times(
        known=int(known.size),
        first_utc=utc_text(int(times.mid_ns[known[0]])) if known.size else None,
        last_utc=utc_text(int(times.mid_ns[known[-1]])) if known.size else None,
        source=times.source,
        meaning=times.meaning,
        sigma_s=_median(times.sigma_s),
        sigma_max_s=_largest(times.sigma_s),
        cadence_s=cadence,
        exposure_s=_median(times.exposure_s),
        gaps=int(gaps.size),
        gap_places=[Place(int(known[k + 1]), float(steps[k])) for k in gaps[:PLACES]],
        ledger=[asdict(entry) for entry in times.ledger],
    )


def _median(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(np.median(finite)) if finite.size else None


def _largest(values: NDArray[np.float64]) -> float | None:
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else None
