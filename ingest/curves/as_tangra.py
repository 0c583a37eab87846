"""A light curve in the form of a Tangra CSV, which PyOTE and AOTA read: one object, its sky taken off."""

import numpy as np

from ingest.curves.as_pyote import counts_of
from ingest.curves.curve_table import CurveTable
from ingest.curves.exports import middle, one_line, writable
from ingest.instants import DAY_NS
from reduction.timing import utc_text
from reduction.version import VERSION

SETTINGS = (
    "Reversed Gamma", "Colour", "Measured Band", "Integration", "Digital Filter", "Signal Method",
    "Background Method", "Instrumental Delay Corrections", "Camera", "AAV Integration", "First Frame",
    "Last Frame", "Exposure (s)", "Time sigma (s)", "Level (1)",
)  # fmt: skip


def write(table: CurveTable) -> bytes:
    """The file's bytes; times to a millisecond, as Tangra writes them.

    Raises
    ------
    RequestError
        No sample has both a time and a usable flux.
    """
    good = np.flatnonzero(writable(table))
    level = counts_of(table)
    exposure, sigma = middle(table.exposure_s), middle(table.utc_sigma_s)
    frames = table.frame[good]
    values = [
        "1.00", "no", "", "no", "NoFilter", "AperturePhotometry", "AverageBackground", "Applied", "", "",
        f"{frames.min():g}", f"{frames.max():g}", "" if exposure is None else repr(exposure),
        "" if sigma is None else repr(sigma), repr(level),
    ]  # fmt: skip
    out = [
        f"Tangra v3 form, written by Umbra {VERSION}",
        "Measurments of 1 objects",
        one_line(table.name),
        "Asteroidal Umbra, Time: Timestamp Saving During Recording",
        "",
        "",
        ", ".join(SETTINGS),
        ",".join(values),
        "",
        "Object, Type, Aperture, Tolerance, FWHM, Measured, StartingX, StartingY, Fixed",
        "1,OccultedStar,,,,yes,,,no",
        "",
        "",
        "FrameNo,Time (UT),SignalMinusBackground (1)",
    ]
    flux = (table.flux * level).tolist()
    for k in good.tolist():
        clock = utc_text(int(table.mid_ns[k]) % (DAY_NS * 366), 3)[11:-1]
        out.append(f"{table.frame[k]:g},[{clock}],{flux[k]!r}")
    return ("\n".join(out) + "\n").encode()
