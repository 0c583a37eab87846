"""Whether a recording tells what kept its clock."""

from reduction.stack import SourceInfo
from reduction.timing import TimeSolution


def clock_is_told(info: SourceInfo, times: TimeSolution) -> bool:
    """Whether a person stated the times, or the recording names a GPS or NTP clock."""
    if not times.source.startswith(("SER", "FITS")) or any(e.what == "clock" for e in times.ledger):
        return True
    words = " ".join([*info.metadata.keys(), *info.metadata.values()]).upper()
    return "GPS" in words or "NTP" in words
