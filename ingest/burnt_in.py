"""Recordings whose times are read from the line that an inserter burnt into their frames.

The times are read when they are first asked for: of a stack, whose frames lie at hand, at once; of a
video that is converted, from the finished stack, after the last frame.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.frame_status import FrameStatus, status_of
from ingest.ocr.kept_rows import KeptRows
from ingest.ocr.network import Recogniser, recogniser
from ingest.ocr.options import Vti
from ingest.ocr.read import Frames, Progress, find_overlay_time, read_overlay, sample_frames, sampled
from ingest.ocr.stamps import BurntIn, burnt_in, burnt_in_notes
from ingest.stack import ZarrStack
from ingest.stamps import solve
from ingest.timeoptions import TimeOptions, apply_times
from reduction.errors import DataError
from reduction.stack import FrameBlock, FrameSource, SourceInfo, Stack
from reduction.timing import FirstField, TimeSolution

FIRST: dict[int | None, FirstField | None] = {0: "top", 1: "bottom", None: None}
"""Field that is first, by the row on which it begins."""


def read_burnt_in(
    recording: FrameSource,
    vti: Vti,
    progress: Progress | None = None,
    sample: Frames | None = None,
    kept: KeptRows | None = None,
) -> BurntIn:
    """Find and read the burnt-in time of a recording.

    Parameters
    ----------
    recording : FrameSource
        The recording; read once, or twice where its frames cannot be read in any order.
    vti : Vti
        What a person says of it.
    progress : callable, optional
        Called with frames done and frames in all.
    sample : array, (n, y, x), optional
        `ingest.ocr.read.sample_frames`, where they are at hand.
    kept : KeptRows, optional
        Rows of all frames, which are read instead of the recording where the line stands on them.

    Raises
    ------
    DataError
        There is no such line, or its times make no sense.
    ResourceError
        EasyOCR is asked for and not installed.
    """
    network = _recogniser(vti)
    name = recording.info.name
    found = sample_frames(recording) if sample is None else sample
    overlay = find_overlay_time(found, network, vti.model)
    if overlay is None:
        raise DataError(
            f"{name}: no line with a burnt-in time HH:MM:SS was found; say --vti off, or give --times"
        )
    frames = kept if kept is not None and kept.hold(overlay) else recording
    return burnt_in(read_overlay(frames, overlay, network, progress), vti, name)


def _recogniser(vti: Vti) -> Recogniser:
    """What reads the pictures."""
    if vti.reader == "builtin":
        return recogniser()
    from ingest.ocr.easyocr_path import EasyOcr

    return EasyOcr()


def burnt_in_times(
    recording: FrameSource,
    options: TimeOptions,
    progress: Progress | None = None,
    sample: Frames | None = None,
    kept: KeptRows | None = None,
) -> TimeSolution:
    """Times of frames from their burnt-in line, corrected as the options ask; arguments as `read_burnt_in`.

    Raises as `read_burnt_in` and `ingest.timeoptions.apply_times`.
    """
    if options.vti is None:
        raise ValueError("no burnt-in time is asked for")
    found = read_burnt_in(recording, options.vti, progress, sample, kept)
    stamps = replace(found.stamps, notes=tuple(burnt_in_notes(found)))
    solution = apply_times(solve(stamps), recording.info.frames, replace(options, vti=None))
    return replace(solution, fields=FIRST[found.order.first])


class BurntInSource:
    """A recording with the times that are burnt into it; read on demand."""

    def __init__(self, recording: FrameSource, options: TimeOptions) -> None:
        self._recording = recording
        self._options = options
        self._times: TimeSolution | None = None
        self._sample: Frames | None = None
        self._kept: KeptRows | None = None

    @property
    def info(self) -> SourceInfo:
        """The recording."""
        return self._recording.info

    @property
    def recording(self) -> FrameSource:
        """The recording itself, with the times of its container."""
        return self._recording

    @property
    def frame_status(self) -> FrameStatus:
        """What the recorder wrote beside the frames."""
        return status_of(self._recording)

    @property
    def container_times(self) -> TimeSolution:
        """What the container says."""
        return self._recording.times

    @property
    def times(self) -> TimeSolution:
        """The burnt-in times; all frames are read for them."""
        if self._times is None:
            self._times = burnt_in_times(self._recording, self._options, None, self._sample, self._kept)
            self._kept = None
        return self._times

    def times_from(self, stack: Stack, progress: Progress | None = None) -> TimeSolution:
        """The same, read from a stack of this recording."""
        self._times = burnt_in_times(stack_source(stack), self._options, progress)
        return self._times

    def keep_digits(self) -> None:
        """Keep the rows of digits when all frames come by: for those who ask for the times afterwards.

        Nothing of a recording that can be read anywhere, which costs less than what would be kept.
        """
        if not isinstance(self._recording, Stack):
            self._kept = KeptRows(self.info, self.container_times)

    def blocks(self, size: int, start: int = 0) -> Iterator[FrameBlock]:
        """Yield blocks of `size` frames (the last may be shorter) from frame `start`.

        Where all frames come by, those that the line is found on are kept, so that times which are asked for
        afterwards need only one more reading, or none after `keep_digits`.
        """
        sample = []
        if self._kept is not None:
            self.keep_digits()
        for block in self._recording.blocks(size, start):
            if start == 0:
                sample.append(sampled(block, self.info))
                if self._kept is not None:
                    self._kept.add(block)
            yield block
        if sample:
            self._sample = np.concatenate(sample)

    def close(self) -> None:
        """Release the file."""
        self._recording.close()


class BurntInStack(BurntInSource):
    """The same of a recording that can be read anywhere."""

    def __init__(self, stack: Stack, options: TimeOptions) -> None:
        super().__init__(stack_source(stack), options)
        self._stack = stack

    @property
    def shard_size(self) -> int:
        """Frames per shard."""
        return self._stack.shard_size

    @property
    def known_digests(self) -> NDArray[np.uint8] | None:
        """Frame digests, if stored beside the pixels."""
        return self._stack.known_digests

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Frames ``start`` to ``stop`` (excluded)."""
        return self._stack.read(start, stop)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stack, name)


def with_burnt_in_times(recording: FrameSource, options: TimeOptions) -> FrameSource:
    """The recording with its burnt-in times: a stack of Umbra's itself, another in a wrapper."""
    if isinstance(recording, ZarrStack):
        return recording.retimed(burnt_in_times(recording, options))
    if isinstance(recording, Stack):
        return BurntInStack(recording, options)
    return BurntInSource(recording, options)


def stack_source(stack: Stack) -> FrameSource:
    """A stack as a source; every stack of this program is one."""
    if not isinstance(stack, FrameSource):
        raise TypeError(f"{stack.info.name}: a stack that cannot be read from front to back")
    return stack
