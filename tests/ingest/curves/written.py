"""Light curves in the forms of other programs, written from what is known of those forms."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

EXPOSURE_MS = 40
START = datetime(2026, 3, 1, 23, 59, 58, tzinfo=UTC)
"""Midnight falls inside."""


@dataclass(frozen=True, eq=False)
class Truth:
    """A curve: times of mid-exposure and fluxes of a target and a comparison star."""

    mid: list[datetime]
    target: NDArray[np.float64]
    comparison: NDArray[np.float64]
    gap: frozenset[int] = field(default_factory=frozenset)

    @property
    def ns(self) -> NDArray[np.int64]:
        """POSIX nanoseconds."""
        zero = datetime(1970, 1, 1, tzinfo=UTC)
        return np.array([((t - zero) // timedelta(microseconds=1)) * 1000 for t in self.mid], np.int64)


def truth(n: int = 120, seed: int = 3) -> Truth:
    rng = np.random.default_rng(seed)
    mid = [START + k * timedelta(milliseconds=EXPOSURE_MS) for k in range(n)]
    target = 1000 + rng.normal(0, 20, n)
    target[n // 2 : n // 2 + 20] -= 950
    return Truth(mid, np.round(target, 2), np.round(3000 + rng.normal(0, 30, n), 2))


def clock(t: datetime, digits: int = 6) -> str:
    return t.strftime("%H:%M:%S.%f")[: 9 + digits]


def pymovie(curve: Truth, source: str = "C:/x/rec.adv", date: str = "2026-03-01", header: str = "") -> str:
    lines = ["# PyMovie Version 4.0.2", f"# source: {source}", "#", "# aperture name: target", header]
    lines += [f"# date at frame 0: {date}"] if date else []
    lines.append(
        "FrameNum,timeInfo,signal-target,signal-ref,appsum-target,avgbkg-target,hit-defect-target,appsum-ref"
    )
    for k, t in enumerate(curve.mid):
        a, b = curve.target[k], curve.comparison[k]
        lines.append(f"{k}.00,[{clock(t)}],{a},{b},{a + 50:.2f},3.1,{int(k == 3)},{b + 50:.2f}")
    return "\n".join(line for line in lines if line) + "\n"


def rote(curve: Truth) -> str:
    rows = "".join(
        f"{k + 1},[{clock(t, 4)}],{curve.target[k]},{curve.comparison[k]}\n" for k, t in enumerate(curve.mid)
    )
    return f"#R-OTE 4.6.2\n\n# timedelta = 0.04\n\nFrameNum,timeInfo,primaryData,LC2\n{rows}"


def tangra(
    curve: Truth, how: str = "signal", time: str = "UT", status: str = "Applied", kind: str = "ComparisonStar"
) -> str:
    names = "Reversed Gamma, Colour, Instrumental Delay Corrections, Camera, Acquisition Delay (ms)"
    columns = {
        "signal": "Signal ({0}), Background ({0})",
        "minus": "SignalMinusBackground ({0})",
        "magnitude": "Magnitude ({0})",
        "bins": "Binned Measurment ({0})",
    }[how]
    first = "BinNo" if how == "bins" else "FrameNo"
    head = [
        "Tangra v3.7.5.1",
        "Measurments of 2 objects",
        "D:\\rec.avi",
        "Asteroidal Video (AVI.8), Time: OCR-ed Timestamps",
        "",
        "",
        names,
        f"1.00,no,{status},WAT-910HX,",
        "",
        "Object, Type, Aperture, Tolerance, FWHM, Measured, StartingX, StartingY, Fixed",
        "1,OccultedStar,3.09,4.78,2.33,yes,141.7,253.0,no",
        f"2,{kind},3.09,,2.32,yes,105.9,276.7,no",
        "",
        "",
        f"{first},Time ({time})," + ",".join(columns.format(n) for n in (1, 2)),
    ]
    for k, t in enumerate(curve.mid):
        values = []
        for flux in (curve.target[k], curve.comparison[k]):
            sky = 7.25
            values += {
                "signal": [f"{flux + sky:.2f}", f"{sky}"],
                "minus": [f"{flux}"],
                "magnitude": [f"{18 - 2.5 * np.log10(max(flux, 1)):.9f}"],
                "bins": [f"{flux}"],
            }[how]
        day = (t - t.replace(hour=0, minute=0, second=0, microsecond=0)) / timedelta(days=1)
        stamp = {"UT": f"[{clock(t, 3)}]", "Days UT": f"{day:.12f}", "JD": f"{day + julian(t):.8f}"}[time]
        head.append(f"{k + 7},{stamp}," + ",".join(values))
    return "\n".join(head) + "\n"


def julian(t: datetime) -> float:
    """Julian date of the midnight before."""
    return (t.date() - datetime(2000, 1, 1, tzinfo=UTC).date()).days + 2451544.5


def limovie(curve: Truth) -> str:
    head = 'Limovie File Format (for Ver.0.9.26 later)\n"FileName : a.avi"\n"Video System : NTSC"\n'
    head += '"Time",,,,"Centre of"\n"No.",a,b,h,m,s,x,y,z,w,"Result(1)",R2,R3\n'
    rows = ""
    for k, t in enumerate(curve.mid):
        second = t.second + t.microsecond * 1e-6
        rows += (
            f"{k},0,0,{t.hour},{t.minute},{second:.2f},1,1,1,1,{curve.target[k]},{curve.comparison[k]},0\n"
        )
    return head + rows


def portal(curve: Truth) -> str:
    rows = "".join(
        f'"{t.strftime("%Y-%m-%dT%H:%M:%S.%f")[:23]}",{float(curve.target[k] / 1000)!r}\n'
        for k, t in enumerate(curve.mid)
    )
    return f'"DATE-OBS","Object+Occ./Ref1."\n{rows}'


def sora(curve: Truth, time: str = "jd", mark: str = "\t", header: str = "") -> str:
    zero = datetime(2026, 3, 1, tzinfo=UTC)
    out = [header] if header else []
    for k, t in enumerate(curve.mid):
        seconds = (t - zero) / timedelta(seconds=1)
        stamp = {
            "jd": f"{2461100.5 + seconds / 86400:.16f}",
            "mjd": f"{61100 + seconds / 86400:.12f}",
            "iso": t.strftime("%Y-%m-%dT%H:%M:%S.%f"),
            "seconds": f"{seconds:.6f}",
        }[time]
        out.append(mark.join([stamp, repr(float(curve.target[k] / 1000)), "0.02"]))
    return "\n".join(out) + "\n"
