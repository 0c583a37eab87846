"""What to do about a caveat, in the words of somebody who observes; and where the help explains it."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from reduction.caveats import Caveat
from reduction.outputs.verdict import Topic


class Advice(NamedTuple):
    """What helps, and the place in the help (``topic#term``)."""

    text: str
    help: str


NOTHING = "Nothing to do: said so that the record is complete."
_RESEND = "Send the file again if the camera's original is still there."
_CLOCK = (
    "State in the report how the clock was set and checked; the errors of D and R grow by what is not known."
)
_MEANING = (
    "Reduce again with the meaning that your recorder's manual states (start, middle or end of the exposure)."
)
_GIVE_TIMES = "Reduce again with a table of times, or with the start and the cadence."
_EXPOSURES = "Compare the frames before and after in the frame viewer; an edge beside them is less sure."
_SATURATED = (
    "Next time: a shorter exposure or less gain. Where the event's flank is "
    "saturated, trust D and R to a tenth of an exposure."
)
_REFERENCE = "Reduce again with a reference star as bright as the target or brighter, that is not saturated."
_FIT = "Look at the edges in the curve below; if the dip is real, measure it by eye and say so in the report."
_LOOK = "Look at the cut-outs about the event: is it the star that vanishes, or its aperture that moves?"
_LIMB = "Concerns the limb of the campaign, not this curve."

ADVICE: Mapping[Caveat, Advice] = MappingProxyType(
    {
        Caveat.FILE_TRUNCATED: Advice(_RESEND, "uploads#damaged"),
        Caveat.FRAME_COUNT_WRONG: Advice(_RESEND, "uploads#damaged"),
        Caveat.FRAMES_BLANK: Advice(_EXPOSURES, "photometry#flags"),
        Caveat.FRAME_HEADERS_DAMAGED: Advice(_RESEND, "uploads#damaged"),
        Caveat.PACKING_SETTLED: Advice("See that a frame looks right in the frame viewer.", "formats#pixels"),
        Caveat.INDEX_REBUILT: Advice(NOTHING, "uploads#damaged"),
        Caveat.STATUS_UNREADABLE: Advice(NOTHING, "formats#pixels"),
        Caveat.CHECKSUM_UNCHECKED: Advice(NOTHING, "uploads#checksum"),
        Caveat.INTEGRATION_VARIES: Advice(_EXPOSURES, "times#integration"),
        Caveat.CAMERA_GAMMA: Advice(
            "Next time: gamma 1 (off). Depths are wrong by the camera's curve.", "photometry#linear"
        ),
        Caveat.BYTE_ORDER_SETTLED: Advice(
            "See that a frame looks right in the frame viewer.", "formats#pixels"
        ),
        Caveat.IMAGE_TYPE_UNKNOWN: Advice(
            "Name darks and flats as such when you reduce again.", "photometry#calibration"
        ),
        Caveat.FRAMES_EXCLUDED: Advice(
            "If they belong to this camera and exposure, choose them when you reduce again.",
            "photometry#calibration",
        ),
        Caveat.FRAMES_APPLIED: Advice(NOTHING, "photometry#calibration"),
        Caveat.NOT_FINITE: Advice(NOTHING, "photometry#flags"),
        Caveat.OVERLAY: Advice(
            "Choose a target that does not drift under the digits; next time move them to a corner.",
            "times#burnt-in",
        ),
        Caveat.DEFECTIVE_PIXELS: Advice(
            "Send dark frames of the same exposure and reduce again.", "photometry#calibration"
        ),
        Caveat.LOSSY_VIDEO: Advice(
            "Next time record without compression; the sigmas here are those of altered pixels.",
            "formats#lossy",
        ),
        Caveat.INTER_FRAME_VIDEO: Advice(
            "Next time record each frame whole: here an edge may be smeared over some frames.",
            "formats#lossy",
        ),
        Caveat.AUTOMATIC_GAIN: Advice(
            "Next time a fixed gain. The normalised curve holds, the target's alone does not.",
            "photometry#gain",
        ),
        Caveat.COLOUR_UNCALIBRATED: Advice(NOTHING, "formats#pixels"),
        Caveat.FIELDS_UNDECIDED: Advice(
            "Reduce again with the order of fields that your camera has, if each field is to be a point.",
            "times#fields",
        ),
        Caveat.FIELDS_BY_TIMES: Advice(NOTHING, "times#fields"),
        Caveat.BLACK_CLIPPED: Advice(
            "Next time a higher black level (offset): faint light is cut off here.", "photometry#linear"
        ),
        Caveat.LIMITED_RANGE: Advice(NOTHING, "formats#pixels"),
        Caveat.LINE_NOISE: Advice(NOTHING, "photometry#noise"),
        Caveat.ARCHIVE_SORTED: Advice(
            "See in the file's list that the right frames were taken.", "uploads#archives"
        ),
        Caveat.ARCHIVE_REFUSED: Advice(
            "See in the file's list what was left out, and send it again by itself.", "uploads#archives"
        ),
        Caveat.ARCHIVE_INCOMPLETE: Advice(_RESEND, "uploads#archives"),
        Caveat.TIMES_ABSENT: Advice(_GIVE_TIMES, "times#sources"),
        Caveat.TIME_MEANING_ASSUMED: Advice(_MEANING, "times#meaning"),
        Caveat.EXPOSURE_ASSUMED: Advice("Reduce again with the exposure that was set.", "times#exposure"),
        Caveat.WHOLE_SECONDS: Advice(
            "If a log of the recorder has fractions of seconds, reduce again with it.", "times#sources"
        ),
        Caveat.CLOCK_UNKNOWN: Advice(_CLOCK, "times#clock"),
        Caveat.ACCURACY_UNSTATED: Advice(_CLOCK, "times#clock"),
        Caveat.CLOCK_UNSTATED: Advice(_CLOCK, "times#clock"),
        Caveat.NETWORK_TIME: Advice(
            "State offset and delay of the time server in the report; next time use GPS.", "times#clock"
        ),
        Caveat.SIDE_FILE: Advice(
            "If it belongs to this recording, choose it as the table of times.", "times#sources"
        ),
        Caveat.LOCAL_TIME_CORRECTED: Advice("See that D lies where the prediction has it.", "times#utc"),
        Caveat.LOCAL_TIME: Advice(
            "Reduce again with the UTC of the start if the times are of a time zone.", "times#utc"
        ),
        Caveat.TIMES_CONFLICT: Advice(
            "Find out which of the two is right, and reduce again with it.", "times#sources"
        ),
        Caveat.CAMERA_UNKNOWN: Advice(
            "Name camera and mode when you reduce again: its delay is then corrected.", "times#camera"
        ),
        Caveat.INTEGRATED: Advice(NOTHING, "times#integration"),
        Caveat.TIMES_COMPUTED: Advice(
            "Times of each frame would be better: a dropped frame shifts all after it.", "times#sources"
        ),
        Caveat.DATE_UNSET: Advice("Reduce again with the UTC date of the first frame.", "times#utc"),
        Caveat.BURNT_IN_TIME: Advice(
            "Compare some frames with their times in the frame viewer.", "times#burnt-in"
        ),
        Caveat.BURNT_IN_UNSURE: Advice(
            "Compare the frames about D and R with their times in the frame viewer.", "times#burnt-in"
        ),
        Caveat.TIMES_PARTIAL: Advice(_GIVE_TIMES, "times#sources"),
        Caveat.TIMES_NOT_MONOTONIC: Advice(
            "Look where they run backwards; near D or R do not trust them.", "times#gaps"
        ),
        Caveat.TIME_GAPS: Advice(
            "See that no gap lies on D or R: an edge in a gap is unsure by its length.", "times#gaps"
        ),
        Caveat.FRAMES_REPEATED: Advice(
            "If the camera integrates, say so when you reduce again.", "times#integration"
        ),
        Caveat.TIMES_REPEATED: Advice(
            "Two frames of one time: the recorder was late. An edge there is less sure.", "times#gaps"
        ),
        Caveat.FRAMES_DROPPED: Advice(
            "See that none was dropped at D or R; next time a faster disk or a smaller image.", "times#gaps"
        ),
        Caveat.COUNTER_BACKWARD: Advice("See that D and R lie away from it.", "times#gaps"),
        Caveat.GPS_ALMANAC: Advice(
            "Next time leave the receiver on for 15 minutes: before, its seconds may be off by whole ones.",
            "times#clock",
        ),
        Caveat.GPS_FIX: Advice("See that the receiver had a fix at D and R.", "times#clock"),
        Caveat.LEAP_SECOND: Advice(
            "Compare with another station: programs differ in how they count it.", "times#utc"
        ),
        Caveat.FEW_FRAMES: Advice("Next time record minutes before and after the event.", "photometry#noise"),
        Caveat.TARGET_CHOSEN: Advice(
            "See in the finder chart that it is the occulted star; else reduce again with its place.",
            "curves#target",
        ),
        Caveat.TARGET_BY_SKY: Advice(
            "See in the finder chart that it is the occulted star.", "curves#target"
        ),
        Caveat.WCS_UNUSED: Advice(NOTHING, "curves#target"),
        Caveat.TARGET_NOT_SEEN: Advice(
            "Reduce again with the target's place on the frame; if it is right, the star was too faint.",
            "curves#target",
        ),
        Caveat.NO_REFERENCE: Advice(_REFERENCE, "curves#normalised"),
        Caveat.ONE_REFERENCE: Advice(
            "More reference stars would make the curve less noisy, if the field has some.",
            "curves#normalised",
        ),
        Caveat.ONE_GUIDE: Advice(_LOOK, "curves#guides"),
        Caveat.FRAMES_LOST: Advice(_LOOK, "photometry#tracking"),
        Caveat.FRAMES_HELD: Advice(_LOOK, "photometry#tracking"),
        Caveat.FRAMES_SATURATED: Advice(_SATURATED, "photometry#saturation"),
        Caveat.REFERENCE_SATURATED: Advice(_REFERENCE, "photometry#saturation"),
        Caveat.OFF_FRAME: Advice("See that the star was inside the frame at D and R.", "photometry#tracking"),
        Caveat.GAIN_UNCERTAIN: Advice(
            "Reduce again with the gain of your camera's data sheet, in electrons per ADU.", "photometry#gain"
        ),
        Caveat.SIGMA_RESCALED: Advice(
            "Nothing to do: the error bars were made to fit the scatter that is seen.",
            "photometry#sigma-scale",
        ),
        Caveat.FIELD_ROTATES: Advice(_LOOK, "photometry#tracking"),
        Caveat.MASK_NOT_LINEAR: Advice(
            "For the depth, reduce again with another extraction.", "photometry#extraction"
        ),
        Caveat.CROWDED: Advice(
            "The neighbour's light makes the depth smaller; choose PSF extraction or a smaller aperture.",
            "photometry#aperture",
        ),
        Caveat.UNCALIBRATED: Advice(
            "Send dark and flat frames, if there are some, and reduce again.", "photometry#calibration"
        ),
        Caveat.SCATTER_UNEXPLAINED: Advice(
            "Look for thin cloud, wind or a bad reference star in the three curves.", "photometry#noise"
        ),
        Caveat.EVENT_NOT_FITTED: Advice(_FIT, "events#fit"),
        Caveat.EVENT_DEPTH: Advice(
            "A graze, a double star, a neighbour in the aperture, or wrong magnitudes: look "
            "at the cut-outs and at other stations.",
            "events#depth",
        ),
        Caveat.EVENT_LIMBS_OVERLAP: Advice(
            "D and R hold for straight limbs only; compare with neighbouring chords.", "events#models"
        ),
        Caveat.CIRCLE_ASSUMED: Advice(_LIMB, "limb#limb"),
        Caveat.ANGLE_UNDETERMINED: Advice(_LIMB, "limb#limb"),
        Caveat.NO_FREEDOM: Advice(_LIMB, "limb#limb"),
        Caveat.POSTERIOR_COARSE: Advice(_LIMB, "limb#limb"),
        Caveat.DIAMETER_SIGMA_ASSUMED: Advice(_LIMB, "limb#limb"),
        Caveat.SOLUTIONS_SEVERAL: Advice(_LIMB, "limb#mirror"),
        Caveat.STATION_TIME_OFFSET: Advice(_LIMB, "limb#offsets"),
        Caveat.CHORDS_LEFT_OUT: Advice(_LIMB, "chords#chord"),
        Caveat.STAR_PLACE_DOUBTFUL: Advice(_LIMB, "limb#place"),
    }
)
"""Every kind of caveat."""

TOPIC_HELP: Mapping[Topic, str] = MappingProxyType(
    {
        "time": "times#uncertainty",
        "tracking": "photometry#tracking",
        "saturation": "photometry#saturation",
        "noise": "photometry#noise",
    }
)
"""Where the help explains each of the four questions."""

STATES: Mapping[str, tuple[str, str, str]] = MappingProxyType(
    {
        "good": ("✓", "Yes", "Use it as it is."),
        "caution": ("!", "With care", "Use it, and read first what is to be checked."),
        "bad": ("✕", "Not as it stands", "Do not publish it before what is named below is settled."),
    }
)
"""Sign, answer, and what that means, of each state of a verdict."""


def advice_on(code: str) -> Advice | None:
    """Advice on a caveat by its code; None for a code that this version does not know."""
    try:
        return ADVICE.get(Caveat(code))
    except ValueError:
        return None
