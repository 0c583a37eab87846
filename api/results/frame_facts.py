"""What is told of a recording's frames: times and what they mean, flags, levels, histogram."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from api.results.pictures import PERCENTILES, TABLED, limits_of, percentiles
from api.results.stars import finite
from reduction.plan import Settings
from reduction.stack import Stack
from reduction.timing import UNKNOWN_NS, TimeSolution, utc_text

DIGITS = 9
GAP_CADENCES = 1.5
BINS = 4096
"""Most bins of a histogram: a sky of little noise must be seen beside bright stars."""

NEAR = 4096
"""Intervals on each side of a frame from which the cadence around it is taken."""

MEDIAN_PIXELS = 1 << 18


class CorrectionView(Settings):
    """A step from the recorded stamp to mid-exposure; `included`: whoever recorded had applied it."""

    what: str
    value_s: float | None
    sigma_s: float | None
    source: str
    included: bool


class RecordingView(Settings):
    """A recording that frames can be seen of.

    Attributes
    ----------
    dtype : str
        NumPy name of the type of its pixels; `bit_depth` of them are used (0: not known).
    planes : int
        1, or 3: red, green, blue.
    full_scale : float or None
        Largest level that it can hold; null for floats.
    time_source, stamp : str, str or None
        Where times come from; which instant of the exposure the recorded stamps name: start, mid or end.
    timed : int
        Frames with a time.
    cadence_s, exposure_s : float or None
        Medians.
    corrections : tuple
        From stamp to mid-exposure, in order.
    notes : tuple of str
        Caveats of recording and times.
    """

    name: str
    format: str
    frames: int
    width: int
    height: int
    planes: int
    colour: str
    dtype: str
    bit_depth: int
    full_scale: float | None
    gain_e_per_adu: float | None
    time_source: str
    stamp: str | None
    timed: int
    first_utc: str | None
    last_utc: str | None
    cadence_s: float | None
    exposure_s: float | None
    corrections: tuple[CorrectionView, ...]
    notes: tuple[str, ...]


class TimeView(Settings):
    """When a frame was exposed, UTC: the middle with its sigma, and both ends where the exposure is known.

    `since_previous_s` is from the middle of the frame before.
    """

    mid_utc: str | None
    sigma_s: float | None
    exposure_s: float | None
    begin_utc: str | None
    end_utc: str | None
    since_previous_s: float | None


class HistogramView(Settings):
    """How many pixels have which level: of bins of one width from `start`; the last one has its end in it."""

    start: float
    width: float
    counts: tuple[int, ...]


class LevelsView(Settings):
    """Levels of a frame, ADU; null where no pixel is finite.

    Attributes
    ----------
    median, noise : float or None
        Of an even sample of pixels; the noise is one clipped sigma.
    zscale, percentile : tuple of float or None
        What these stretches make black and white.
    saturated, not_finite : int
        Pixels at the largest level that the recording can hold; pixels that are no numbers.
    """

    minimum: float | None
    maximum: float | None
    mean: float | None
    median: float | None
    noise: float | None
    zscale: tuple[float, float] | None
    percentile: tuple[float, float] | None
    saturated: int
    not_finite: int
    histogram: HistogramView | None


class FrameView(Settings):
    """A frame: time, levels, and what is odd about it, in words."""

    frame: int
    time: TimeView
    flags: tuple[str, ...]
    levels: LevelsView


def full_scale(stack: Stack) -> float:
    """Greatest value that a recording can have: by its bit depth, else its type."""
    kind = np.dtype(stack.info.dtype)
    if kind.kind != "u":
        return math.inf
    depth = stack.info.bit_depth or 8 * kind.itemsize
    return float(2 ** min(depth, 8 * kind.itemsize) - 1)


def _median(values: NDArray[np.float64]) -> float | None:
    there = values[np.isfinite(values)]
    return float(np.median(there)) if there.size else None


def recording_view(stack: Stack, name: str) -> RecordingView:
    """Tell a recording; `name` is that of its file."""
    info, times = stack.info, stack.times
    known = np.flatnonzero(times.known)
    return RecordingView(
        name=name,
        format=info.format,
        frames=info.frames,
        width=info.width,
        height=info.height,
        planes=1 if len(info.shape) == 3 else info.shape[1],
        colour=info.colour,
        dtype=info.dtype,
        bit_depth=info.bit_depth,
        full_scale=finite(full_scale(stack)),
        gain_e_per_adu=info.gain_e_per_adu,
        time_source=times.source,
        stamp=times.meaning,
        timed=int(known.size),
        first_utc=utc_text(int(times.mid_ns[known[0]]), DIGITS) if known.size else None,
        last_utc=utc_text(int(times.mid_ns[known[-1]]), DIGITS) if known.size else None,
        cadence_s=times.cadence_s(),
        exposure_s=_median(times.exposure_s),
        corrections=tuple(
            CorrectionView(
                what=each.what,
                value_s=finite(each.value_s),
                sigma_s=finite(each.sigma_s),
                source=each.source,
                included=each.included,
            )
            for each in times.ledger
        ),
        notes=tuple(dict.fromkeys(note.message for note in (*info.notes, *times.notes))),
    )


def time_view(times: TimeSolution, frame: int) -> TimeView:
    """When a frame was exposed."""
    mid, sigma, exposure = int(times.mid_ns[frame]), times.sigma_s[frame], times.exposure_s[frame]
    exposure_s = finite(float(exposure))
    if mid == UNKNOWN_NS:
        return TimeView(
            mid_utc=None, sigma_s=None, exposure_s=exposure_s, begin_utc=None, end_utc=None,
            since_previous_s=None,
        )  # fmt: skip
    before = int(times.mid_ns[frame - 1]) if frame else UNKNOWN_NS
    half = None if exposure_s is None else round(exposure_s * 5e8)
    return TimeView(
        mid_utc=utc_text(mid, DIGITS),
        sigma_s=finite(float(sigma)),
        exposure_s=exposure_s,
        begin_utc=None if half is None else utc_text(mid - half, DIGITS),
        end_utc=None if half is None else utc_text(mid + half, DIGITS),
        since_previous_s=None if before == UNKNOWN_NS else (mid - before) * 1e-9,
    )


def cadence_near(times: TimeSolution, frame: int) -> float | None:
    """Median interval of the frames around one, seconds; None without two known times."""
    low, high = max(0, frame - NEAR), min(times.mid_ns.size, frame + NEAR)
    near = times.mid_ns[low:high]
    both = (near[1:] != UNKNOWN_NS) & (near[:-1] != UNKNOWN_NS)
    return float(np.median(np.diff(near)[both])) * 1e-9 if both.any() else None


def time_flags(times: TimeSolution, frame: int) -> tuple[str, ...]:
    """What is odd about a frame's time."""
    view = time_view(times, frame)
    if view.mid_utc is None:
        return ("no time is known",)
    step, cadence = view.since_previous_s, cadence_near(times, frame)
    if step is None or cadence is None or cadence <= 0:
        return ()
    if step <= 0:
        return (f"its time is not after that of the frame before ({step:+.6g} s)",)
    if step > GAP_CADENCES * cadence:
        return (
            f"gap: {step:.6g} s since the frame before, {step / cadence:.1f} times the usual {cadence:.6g} s",
        )
    return ()


def nearest_frame(times: TimeSolution, utc_ns: int) -> int | None:
    """The frame whose mid-exposure is nearest to an instant; None where no time is known."""
    known = np.flatnonzero(times.known)
    if not known.size:
        return None
    return int(known[np.argmin(np.abs(times.mid_ns[known] - utc_ns))])


def levels_view(image: NDArray[Any], full: float) -> LevelsView:
    """Levels of one plane of a frame."""
    from gpu_kernels.detect import clipped_sigma

    good = image if image.dtype.kind in "ui" else image[np.isfinite(image)]
    lost = image.size - good.size
    if not good.size:
        return LevelsView(
            minimum=None, maximum=None, mean=None, median=None, noise=None, zscale=None, percentile=None,
            saturated=0, not_finite=lost, histogram=None,
        )  # fmt: skip
    flat = good.reshape(-1)
    sample = flat[:: max(1, flat.size // MEDIAN_PIXELS)]
    low, high = float(flat.min()), float(flat.max())
    return LevelsView(
        minimum=low,
        maximum=high,
        mean=float(flat.mean(dtype=np.float64)),
        median=float(np.median(sample)),
        noise=finite(float(clipped_sigma(sample.astype(np.float64)))),
        zscale=limits_of(good, "zscale"),
        percentile=percentiles(good, PERCENTILES),
        saturated=int(np.count_nonzero(flat >= full)),
        not_finite=lost,
        histogram=_histogram(flat, low, high),
    )


def _histogram(values: NDArray[Any], low: float, high: float) -> HistogramView:
    """Counts in at most `BINS` bins; of integers each bin has the same number of levels."""
    if values.dtype.kind in "ui":
        width = float(max(1, math.ceil((high - low + 1) / BINS)))
        bins = math.ceil((high - low + 1) / width)
        if values.dtype.name in TABLED:
            every = np.bincount(values, minlength=int(high) + 1)[int(low) :]
            every = np.concatenate([every, np.zeros(bins * int(width) - every.size, every.dtype)])
            counts = every.reshape(bins, int(width)).sum(axis=1)
        else:
            counts = np.bincount((values.astype(np.int64) - int(low)) // int(width), minlength=bins)
    else:
        width = (high - low) / BINS or 1.0
        counts, _ = np.histogram(values, bins=BINS, range=(low, low + BINS * width))
    return HistogramView(start=low, width=width, counts=tuple(counts.tolist()))


def pixel_flags(
    stack: Stack, frame: int, image: NDArray[Any], before: NDArray[Any] | None
) -> tuple[str, ...]:
    """What is odd about a frame's pixels; `before`: the frame before it, as recorded."""
    flags = []
    if image.size and (image == image.reshape(-1)[0]).all():
        flags.append("blank: all pixels have one level")
    digests = stack.known_digests
    if frame and digests is not None:
        same = bool((digests[frame] == digests[frame - 1]).all())
    else:
        same = before is not None and bool(np.array_equal(image, before))
    if same:
        flags.append("the same pixels as the frame before")
    return tuple(flags)
