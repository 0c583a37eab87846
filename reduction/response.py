"""The camera's response: recorded levels back to light, before anything else is done with them."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reduction.errors import RequestError
from reduction.levels import LumaRange
from reduction.plan import ReductionPlan, fault_of_response
from reduction.stack import SourceInfo

Curve = NDArray[np.float32]

LINEAR: Curve = np.empty(0, np.float32)
"""The response of a linear camera: nothing to undo."""


def response_of(plan: ReductionPlan, info: SourceInfo, luma: LumaRange | None) -> Curve:
    """Linear value of every level that the recording's pixel type has.

    A gamma of G means ``recorded = full (linear / full)^G``, so ``linear = full (recorded / full)^(1/G)``;
    `full` is the largest level of the recording's depth, and where luma has room at both ends, levels count
    from black to white (ITU-R BT.709-6, 3.5; levels below black become negative). A table is interpolated
    linearly.

    Parameters
    ----------
    plan : ReductionPlan
        Its `gamma` or `response`.
    info : SourceInfo
        Of the recording.
    luma : LumaRange or None
        As `luma_range` found.

    Returns
    -------
    array, (256,) or (65536,), float32
        Size 0 where the plan says nothing of a response. NaN outside of a table.

    Raises
    ------
    RequestError
        The recording's samples are not unsigned integers of 8 or 16 bits.
    """
    if plan.gamma is None and plan.response is None:
        return LINEAR
    if info.dtype not in {"uint8", "uint16"}:
        raise RequestError(
            f"{info.name}: --gamma and --response need samples of 8 or 16 bits, these are {info.dtype}; "
            "such levels were computed, not recorded: linearise them where they were"
        )
    size = np.iinfo(info.dtype).max + 1
    level = np.arange(size, dtype=np.float64)
    if plan.response is not None:
        at, linear = np.array(plan.response, np.float64).T
        return np.asarray(np.interp(level, at, linear, left=np.nan, right=np.nan), np.float32)
    black, full = 0.0, float(2 ** (info.bit_depth or 8 * np.dtype(info.dtype).itemsize) - 1)
    if luma is not None:
        black, full = luma.black, luma.white - luma.black
    part = (level - black) / full
    return np.asarray(full * np.sign(part) * np.abs(part) ** (1.0 / (plan.gamma or 1.0)), np.float32)


def check_covered(plan: ReductionPlan, name: str, lowest: float, highest: float) -> None:
    """Refuse a table that does not reach from the lowest to the highest level recorded.

    Raises
    ------
    RequestError
        It does not.
    """
    if plan.response is None:
        return
    first, last = plan.response[0][0], plan.response[-1][0]
    if lowest < first or highest > last:
        raise RequestError(
            f"{name}: the recording has levels from {lowest:g} to {highest:g}, the response's table covers "
            f"{first:g} to {last:g}; extend the table"
        )


def step_at(curve: Curve, linear: float) -> float:
    """Linear size of one recorded level where the linear value is `linear`: what rounding is judged by.

    Parameters
    ----------
    curve : array, (levels,)
        As `response_of`; 1 for a linear camera.
    linear : float
        Linear ADU.
    """
    known = np.flatnonzero(np.isfinite(curve))
    if known.size < 2:
        return 1.0
    values = curve[known].astype(np.float64)
    at = int(np.clip(np.searchsorted(values, linear), 1, values.size - 1))
    low, high = max(at - 1, 0), min(at + 1, values.size - 1)
    return float((values[high] - values[low]) / (high - low))


def linearise(frame: NDArray[Any], curve: Curve) -> NDArray[Any]:
    """A frame of a master through the response; between levels where it was averaged already.

    Parameters
    ----------
    frame : array
        Recorded levels, of any real type.
    curve : array, (levels,)
        As `response_of`.
    """
    if curve.size == 0:
        return frame
    if frame.dtype.kind == "u" and curve.size > np.iinfo(frame.dtype).max:
        linear: NDArray[Any] = curve[frame]
        return linear
    levels = np.arange(curve.size, dtype=np.float64)
    known = np.isfinite(curve)
    between = np.interp(frame, levels[known], curve[known], left=np.nan, right=np.nan)
    return np.asarray(between, np.float32)


def read_response(path: Path) -> tuple[tuple[float, float], ...]:
    """Read a table of the response, CSV with the columns ``level,linear``, for a plan.

    Raises
    ------
    RequestError
        The file cannot be read, its header is another one, a line is not two numbers, there are fewer than
        two or too many lines, or a column does not rise.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text file"
        raise RequestError(f"{path}: cannot read the response: {reason}") from error
    rows = [(n, row) for n, row in enumerate(csv.reader(lines), 1) if any(cell.strip() for cell in row)]
    names = [cell.strip().lower() for cell in rows[0][1]] if rows else []
    if names != ["level", "linear"]:
        raise RequestError(f"{path}: the first line is {','.join(names)!r}; give level,linear")
    points: list[tuple[float, float]] = []
    for number, row in rows[1:]:
        try:
            level, linear = (float(cell) for cell in row)
        except ValueError as error:
            raise RequestError(
                f"{path}: line {number}: {','.join(row)!r}; give two numbers, level,linear"
            ) from error
        points.append((level, linear))
    fault = fault_of_response(tuple(points))
    if fault is not None:
        raise RequestError(f"{path}: {fault}")
    return tuple(points)
