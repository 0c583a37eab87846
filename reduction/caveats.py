"""Caveats: what a reader of a successful result must know."""

from dataclasses import dataclass
from enum import StrEnum


class Caveat(StrEnum):
    """The kinds of caveat; the value is what `summary.json` holds."""

    # the recording
    FILE_TRUNCATED = "file-truncated"
    FRAME_COUNT_WRONG = "frame-count-wrong"
    FRAME_HEADERS_DAMAGED = "frame-headers-damaged"
    PACKING_SETTLED = "packing-settled-by-content"
    INDEX_REBUILT = "index-rebuilt"
    STATUS_UNREADABLE = "status-unreadable"
    CHECKSUM_UNCHECKED = "checksum-not-checked"
    INTEGRATION_VARIES = "integration-varies"
    BYTE_ORDER_SETTLED = "byte-order-settled-by-content"
    IMAGE_TYPE_UNKNOWN = "image-type-unknown"
    FRAMES_EXCLUDED = "calibration-frames-left-out"
    FRAMES_APPLIED = "calibration-frames-applied"
    NOT_FINITE = "pixels-not-finite"
    OVERLAY = "digits-burnt-in"
    DEFECTIVE_PIXELS = "defective-pixels"
    LOSSY_VIDEO = "lossy-video"
    INTER_FRAME_VIDEO = "inter-frame-video"
    AUTOMATIC_GAIN = "automatic-gain"
    COLOUR_UNCALIBRATED = "colour-uncalibrated"
    FIELDS_UNDECIDED = "fields-undecided"
    BLACK_CLIPPED = "black-level-clipped"
    LIMITED_RANGE = "limited-range-luma"
    LINE_NOISE = "line-noise-removed"
    ARCHIVE_SORTED = "archive-contents-sorted"
    ARCHIVE_REFUSED = "archive-members-refused"
    ARCHIVE_INCOMPLETE = "archive-incomplete"
    # times
    TIMES_ABSENT = "times-absent"
    TIME_MEANING_ASSUMED = "time-meaning-assumed"
    EXPOSURE_ASSUMED = "exposure-assumed"
    WHOLE_SECONDS = "whole-second-times"
    CLOCK_UNKNOWN = "clock-unknown"
    CLOCK_UNSTATED = "clock-accuracy-unstated"
    NETWORK_TIME = "network-time"
    LOCAL_TIME = "local-time-suspected"
    TIMES_CONFLICT = "times-contradict-each-other"
    CAMERA_UNKNOWN = "camera-delay-unknown"
    INTEGRATED = "integrating-camera"
    TIMES_COMPUTED = "times-computed"
    DATE_UNSET = "date-unset"
    BURNT_IN_TIME = "burnt-in-time-read"
    BURNT_IN_UNSURE = "burnt-in-time-unsure"
    TIMES_PARTIAL = "times-missing-on-some-frames"
    TIMES_NOT_MONOTONIC = "times-not-monotonic"
    TIME_GAPS = "time-gaps"
    FRAMES_REPEATED = "frames-repeated"
    TIMES_REPEATED = "times-repeated"
    FRAMES_DROPPED = "frames-dropped"
    COUNTER_BACKWARD = "frame-counter-backward"
    GPS_ALMANAC = "gps-almanac-uncertain"
    GPS_FIX = "gps-fix-missing"
    LEAP_SECOND = "leap-second-inside"
    # the reduction
    FEW_FRAMES = "few-frames"
    TARGET_CHOSEN = "target-chosen-automatically"
    TARGET_NOT_SEEN = "target-not-seen"
    NO_REFERENCE = "no-reference-star"
    ONE_REFERENCE = "one-reference-star"
    ONE_GUIDE = "one-guide-star"
    FRAMES_LOST = "frames-lost"
    FRAMES_HELD = "frames-held"
    FRAMES_SATURATED = "frames-saturated"
    REFERENCE_SATURATED = "reference-saturated"
    OFF_FRAME = "target-off-frame"
    GAIN_UNCERTAIN = "gain-uncertain"
    SIGMA_RESCALED = "sigma-rescaled"
    FIELD_ROTATES = "field-rotates"
    MASK_NOT_LINEAR = "mask-not-linear"
    CROWDED = "neighbour-near-target"
    UNCALIBRATED = "uncalibrated"
    SCATTER_UNEXPLAINED = "scatter-unexplained"


@dataclass(frozen=True, slots=True)
class Note:
    """One caveat with what was seen, in a sentence for people."""

    caveat: Caveat
    message: str
