"""What puts the times of one station wrong by a given amount."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

FIELDS_S = (1001 / 60000, 0.02)
"""One field of NTSC and of PAL video."""
JITTER_S = 0.005
"""How exactly a cause's own value is known."""
MOST_SECONDS = 60
_BROAD_S = 3.0


@dataclass(frozen=True, slots=True)
class Cause:
    """A cause of a shift: what it is, by how much it would be then, and its probability among all causes."""

    name: str
    value_s: float | None  # None: any amount
    probability: float
    text: str


def likeliest_causes(shift_s: float, sigma_s: float, exposure_s: float | None) -> tuple[Cause, ...]:
    """Causes of a shift, the most probable first.

    Each cause predicts the shift: some exactly (whole seconds, parts of an exposure, video fields), some
    broadly (a computer clock set over the network is wrong by a normal 0.1 s; a camera delivers late by an
    exponential 0.1 s; an unknown cause is a Cauchy of 3 s). Probabilities are prior shares (experience,
    not measurement: whole seconds 0.3, exposures 0.25, fields and frames 0.15, others 0.1 each) times the
    predicted density at the shift.

    Parameters
    ----------
    shift_s, sigma_s : float
        Positive: the station's times are late.
    exposure_s : float or None
        Of the station.
    """
    width = math.hypot(sigma_s, JITTER_S)
    weighed: list[tuple[float, str, float | None, str]] = [
        (share * _normal(shift_s - value, width), name, value, text)
        for share, name, value, text in _exact(exposure_s)
    ]
    late = "late" if shift_s > 0 else "early"
    network = 0.1 * _normal(shift_s, math.hypot(width, 0.1))
    weighed.append((network, "network time", None, "clock set over the network (NTP), not by GPS"))
    delay = 0.1 * (10 * math.exp(-10 * shift_s) if shift_s > 0 else 0.0)
    weighed.append((delay, "camera delay", None, "delay of the camera or of the recording program"))
    other = 0.1 * _BROAD_S / math.pi / (_BROAD_S**2 + shift_s**2)
    weighed.append((other, "unknown", None, f"none of the usual causes: {abs(shift_s):.3f} s {late}"))
    total = sum(weight for weight, _, _, _ in weighed)
    found = [Cause(name, value, weight / total, text) for weight, name, value, text in weighed]
    return tuple(sorted(found, key=lambda one: -one.probability)[:4])


def _exact(exposure_s: float | None) -> Sequence[tuple[float, str, float, str]]:
    """Share, name, value and text of every cause with a value of its own."""
    answer = []
    weights = {n: 1 / n**2 for n in range(1, MOST_SECONDS + 1)}
    norm = 2 * sum(weights.values())
    for sign, late in ((1, "late"), (-1, "early")):
        for n, weight in weights.items():
            text = f"{n} whole second{'s' if n > 1 else ''} {late}"
            answer.append((0.3 * weight / norm, "whole seconds", float(sign * n), text))
        if exposure_s is not None:
            text = f"half an exposure ({exposure_s / 2:g} s) {late}: start, middle or end taken for another"
            answer.append((0.08, "half an exposure", sign * exposure_s / 2, text))
            answer.append(
                (0.045, "one exposure", sign * exposure_s, f"one exposure ({exposure_s:g} s) {late}")
            )
        for field in FIELDS_S:
            one, two = (
                f"one video field ({1000 * field:.1f} ms) {late}: field order",
                f"{2000 * field:.1f} ms",
            )
            answer.append((0.02, "field order", sign * field, one))
            answer.append((0.0175, "one frame", sign * 2 * field, f"one video frame ({two}) {late}"))
    return answer


def _normal(x: float, width: float) -> float:
    return math.exp(-0.5 * (x / width) ** 2) / (width * math.sqrt(2 * math.pi))
