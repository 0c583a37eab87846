"""A light curve for SORA: three columns, seconds after a midnight (`tref`), flux, its error.

Julian dates in double precision would lose 40 microseconds; seconds of a day do not.
"""

import numpy as np

from ingest.curves.curve_table import CurveTable
from ingest.curves.exports import middle, one_line, require_dated, said, writable
from ingest.curves.own import midnight_before
from reduction.timing import utc_text


def write(table: CurveTable) -> bytes:
    """The file's bytes; its comments hold the lines of Python that load it.

    Raises
    ------
    RequestError
        The curve has no dates, or no usable sample.
    """
    require_dated(table, "sora")
    good = np.flatnonzero(writable(table))
    good = good[np.argsort(table.mid_ns[good], kind="stable")]
    origin = midnight_before(table)
    sigmas = bool(np.isfinite(table.sigma[good]).all())
    tref = utc_text(origin, 3)[:-1].replace("T", " ")
    exposure = middle(table.exposure_s)
    columns = "usecols=(0, 1, 2), " if sigmas else ""
    out = [
        *said(table, "for SORA"),
        f"# tref: {utc_text(origin, 0)}",
        "# level: 1.0",
        f"# columns: time flux{' dflux' if sigmas else ''}",
        "# To load it in Python:",
        "#   from sora import LightCurve",
        f"#   curve = LightCurve(name={one_line(table.name)!r}, file=FILE, {columns}"
        f"exptime={exposure}, tref={tref!r})",
    ]
    flux, sigma = table.flux.tolist(), table.sigma.tolist()
    for k in good.tolist():
        seconds, part = divmod(int(table.mid_ns[k]) - origin, 10**9)
        cells = [f"{seconds}.{part:09d}", repr(flux[k]), *([repr(sigma[k])] if sigmas else [])]
        out.append(" ".join(cells))
    return ("\n".join(out) + "\n").encode()
