"""A light curve in the Occultation Portal's own form: two columns, ISO mid-exposure and relative flux."""

from ingest.curves.curve_table import CurveTable
from ingest.curves.exports import require_dated, writable
from reduction.timing import utc_text

HEADER = '"DATE-OBS","Object+Occ./Ref1."'


def write(table: CurveTable) -> bytes:
    """The file's bytes.

    Raises
    ------
    RequestError
        The curve has no dates, or no usable sample.
    """
    require_dated(table, "portal")
    flux, mid = table.flux.tolist(), table.mid_ns.tolist()
    rows = [f'"{utc_text(mid[k])[:-1]}",{flux[k]!r}' for k in writable(table).nonzero()[0].tolist()]
    return ("\n".join([HEADER, *rows]) + "\n").encode()
