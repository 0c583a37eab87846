"""How far the clock behind the stamps may be off UTC: GPS, NTP, or a computer nobody disciplines."""

import math
from dataclasses import dataclass
from typing import Literal

from reduction.errors import RequestError

ClockKind = Literal["gps", "ntp", "none"]
NTP_TOLERANCE_PPM = 15.0
"""Frequency tolerance of an undisciplined clock between polls (RFC 5905, PHI)."""
NTP_POLL_S = 64.0
"""Shortest of NTP's usual polls (RFC 5905, 2^6 s)."""
UNDISCIPLINED_SIGMA_S = 1.0
LARGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Clock:
    """What a person says of the clock behind the stamps: ``--clock`` and its companions.

    Attributes
    ----------
    kind : ClockKind
    offset_s : float
        ``--clock-offset``: the clock minus UTC, where it was measured.
    sigma_s : float or None
        ``--clock-sigma``; None: from the figures below.
    round_trip_s : float or None
        ``--ntp-delay``: round trip to the NTP server. The path's asymmetry can put the clock off by up to
        half of it (RFC 5905, 11.2).
    poll_s, drift_ppm : float
        ``--ntp-poll``, ``--ntp-drift``: seconds between polls, and what the clock gains meanwhile.

    Raises
    ------
    RequestError
        A number is out of range, or an NTP clock comes without anything that tells its error.
    """

    kind: ClockKind
    offset_s: float = 0.0
    sigma_s: float | None = None
    round_trip_s: float | None = None
    poll_s: float = NTP_POLL_S
    drift_ppm: float = NTP_TOLERANCE_PPM

    def __post_init__(self) -> None:
        if self.kind not in {"gps", "ntp", "none"}:
            raise RequestError(f"--clock {self.kind}: give gps, ntp or none")
        for name, value in (
            ("--clock-sigma", self.sigma_s),
            ("--ntp-delay", self.round_trip_s),
            ("--ntp-poll", self.poll_s),
            ("--ntp-drift", self.drift_ppm),
        ):
            if value is not None and not 0 <= value < 1e6:
                raise RequestError(f"{name} {value:g}: give a number that is not negative")
        if not abs(self.offset_s) <= LARGEST_S:
            raise RequestError(f"--clock-offset {self.offset_s:g}: give seconds (clock - UTC), up to an hour")
        if self.kind != "ntp" and self.round_trip_s is not None:
            raise RequestError(f"--ntp-delay goes with --clock ntp, not with --clock {self.kind}")
        if self.kind == "ntp" and self.sigma_s is None and self.round_trip_s is None:
            raise RequestError(
                "--clock ntp: its error is not known from that; give --ntp-delay (round trip to the server, "
                "as `ntpq -p` or `chronyc sourcestats` tells) or --clock-sigma, seconds"
            )

    @property
    def uncertainty_s(self) -> float:
        """One sigma of the clock's error, seconds."""
        if self.sigma_s is not None:
            return self.sigma_s
        if self.kind == "ntp" and self.round_trip_s is not None:
            return math.hypot(self.round_trip_s / 2, self.drift_ppm * 1e-6 * self.poll_s)
        return UNDISCIPLINED_SIGMA_S if self.kind == "none" else 0.0

    @property
    def source(self) -> str:
        """What the correction rests on, for the ledger."""
        offset = f", offset {self.offset_s:g} s as --clock-offset says" if self.offset_s else ""
        if self.sigma_s is not None:
            how = "--clock-sigma"
        elif self.kind == "ntp" and self.round_trip_s is not None:
            how = (
                f"half the round trip of {self.round_trip_s:g} s, and {self.drift_ppm:g} ppm of drift in "
                f"{self.poll_s:g} s between polls"
            )
        else:
            how = "nothing keeps it" if self.kind == "none" else "disciplined by GPS"
        return f"--clock {self.kind}: {how}{offset}"
