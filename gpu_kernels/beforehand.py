"""The first use after an installation: half of the kernels are compiled by other processes meanwhile.

numba compiles one function at a time in a process, so others compile what is needed seconds later and leave
it in the shared cache. Kernels are dealt with in parts: whoever begins a part claims it, so that none is
compiled twice, and whoever needs one that another has claimed waits for it. Results do not depend on it:
what is not in the cache when needed is compiled then.

``python -m gpu_kernels.beforehand`` compiles everything that an ordinary reduction uses, for an installation
that wants its first reduction to be as quick as the second.
"""

import atexit
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numba
import numpy as np
from numpy.typing import NDArray

Part = Literal["coarse", "photometry", "following", "extraction", "events"]
PIXEL_TYPES = ("uint8", "uint16", "float32")
POLL_S = 0.02
ORDERS: tuple[tuple[Part, ...], ...] = (
    ("coarse", "photometry", "following", "extraction", "events"),
    ("events", "extraction", "following", "photometry", "coarse"),
)
"""Parts in the order of each process beside this one: as they are needed, and from the other end."""

COLLECT_AT = 50_000
"""Objects between two looks for cycles; compiling makes millions, few of them garbage."""

_under_way: list[tuple[subprocess.Popen[bytes], str, Path]] = []
_mine: set[Part] = set()


def _mark(part: Part, dtype: str) -> Path:
    """File that says that the kernels of a part are in the cache for a pixel type."""
    return Path(str(vars(numba.config)["CACHE_DIR"])) / f"{part}-{dtype}.compiled"


def _claimed(claims: Path, part: Part, dtype: str) -> bool:
    """Claim a part; whether it is this process' now."""
    try:
        (claims / f"{part}-{dtype}").touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def compile_beside(dtype: str) -> None:
    """Start compiling kernels that are needed later in other processes, where they are not kept yet.

    Nothing is started on a single processor, where it would gain nothing.

    Parameters
    ----------
    dtype : str
        NumPy name of the images' pixel type.
    """
    from gpu_kernels import _numba  # noqa: F401  # names the cache folder

    if all(_mark(part, dtype).exists() for part in PARTS) or _under_way:
        return
    gc.set_threshold(COLLECT_AT)
    processors = len(os.sched_getaffinity(0))
    if processors < 2:
        return
    claims = Path(tempfile.mkdtemp(prefix="umbra-claims-"))
    atexit.register(_finish, claims, dtype)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    quiet = subprocess.DEVNULL
    for order in ORDERS[: processors - 1]:
        command = [sys.executable, "-m", "gpu_kernels.beforehand", dtype, str(claims), *order]
        process = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet, env=environment)
        _under_way.append((process, dtype, claims))


def _finish(claims: Path, dtype: str) -> None:
    """Note what this process compiled itself; without the claims the others begin nothing more."""
    shutil.rmtree(claims, ignore_errors=True)
    for part in _mine:
        _mark(part, dtype).touch()


def wait_for(part: Part) -> None:
    """Wait for the other process that has begun a part, if one has; else the part is for this one."""
    if not _under_way or part in _mine:
        return
    _, dtype, claims = _under_way[0]
    if not _mark(part, dtype).exists() and _claimed(claims, part, dtype):
        _mine.add(part)
        return
    while not _mark(part, dtype).exists() and any(each.poll() is None for each, _, _ in _under_way):
        time.sleep(POLL_S)
    if all(each.poll() is not None for each, _, _ in _under_way):
        _under_way.clear()


def _coarse(dtype: str) -> None:
    """Coarse correlation."""
    from gpu_kernels.align import Pattern, bin_sum, correlate

    frame, one = _frame(dtype), np.array([5])
    pattern = Pattern(one, one, np.ones(1, np.float32), (20, 20))
    correlate(bin_sum(frame, 3), pattern, 10.0)


def _photometry(dtype: str) -> None:
    """Apertures and their sky."""
    from gpu_kernels.photometry import measure

    frames, place = _frame(dtype)[None], np.array([[30.0]])
    measure(frames, place, place, np.array([3.0]), 6.0, 12.0)


def _following(dtype: str) -> None:
    """Guide stars followed from frame to frame."""
    from gpu_kernels._numba.follow import follow, profile_tables
    from gpu_kernels.calibrate import Development
    from gpu_kernels.device import read_only
    from gpu_kernels.photometry import development_arrays

    frames = read_only(_frame(dtype)[None])
    response, offset, scale, defect = development_arrays(frames, Development())
    mask, place, tables = np.empty((0, 0), np.bool_), np.array([30.0]), profile_tables(1.3, 4)
    p, fits, used = np.zeros((2, 4)), np.zeros((1, 1, 7)), np.zeros((1, 1), np.bool_)
    follow(
        frames, response, offset, scale, defect, mask, place, place, place, 1.3, tables, 4, 25.0, 1.0, np.inf,
        0.02, 0.5, True, np.zeros((1, 4)), np.zeros((0, 4)), 0, p, fits, used,
    )  # fmt: skip


def _extraction(dtype: str) -> None:
    """Fluxes by weights, and the widths of the stars on a frame."""
    from gpu_kernels.extraction import frame_widths, gaussian, optimal_sums

    place, profile = np.array([[30.0]]), gaussian(1.3)
    for kind in dict.fromkeys((dtype, "uint8")):  # the noise of weights is foretold from frames of uint8
        optimal_sums(_frame(kind)[None], place, place, place, profile, 4.0)
    frame_widths(_frame("float64")[None], place, place, place, profile, 4.0, 25.0)


def _events(dtype: str) -> None:  # noqa: ARG001  # of curves: the same for every pixel type
    """Noise of a light curve, and its most significant run."""
    from gpu_kernels.autoregression import correlation, estimated, innovations, process_of, transposed
    from gpu_kernels.runs import run_information, strongest_run

    values, seen = np.cos(np.arange(80.0)), np.arange(80) != 7
    for ar in (estimated(values, seen).ar, (0.01,) * 20):  # lag by lag, and by octaves
        process = process_of(ar, seen)
        transposed(process, innovations(process, values))
    correlation((0.5,), 3)
    inside, ending = run_information(process)
    total = np.concatenate([[0.0], np.cumsum(values)])
    strongest_run(total, np.zeros((1, 81)), np.arange(81.0), inside, ending, 40)


def _first(dtype: str) -> None:
    """What the first seconds need: fits of stars, cut-outs, development."""
    from gpu_kernels.align import Stars, add_registered, fit_stars, locate
    from gpu_kernels.calibrate import Development, develop
    from gpu_kernels.detect import star_widths
    from gpu_kernels.extraction import gaussian
    from gpu_kernels.stacking import cutouts
    from gpu_kernels.transforms import Transform

    frame, place = _frame(dtype), np.array([30.0])
    star_widths(np.ones((1, 9, 9)), np.zeros(1))
    fit_stars(frame, place, place, 3, 1.3, 25.0, 1.0, np.inf)
    locate(frame, place, place, Stars(1.3, 25.0, 1.0, np.inf), 6, False)
    add_registered(frame, Transform(0.99, 0.1, 0.0, 0.0), np.zeros(frame.shape), np.zeros(frame.shape))
    cutouts(frame[None], place[None], place[None], (5, 5))
    gaussian(1.3).image(2.0, 2.0, (5, 5))
    develop(frame[None], Development(defect=frame == 7))


def _seldom(dtype: str) -> None:
    """What only some recordings need: every frame correlated, the seeing followed, raw peaks, masters."""
    from gpu_kernels.align import Pattern, correlate_each
    from gpu_kernels.calibrate import Development
    from gpu_kernels.extraction import frame_widths, gaussian
    from gpu_kernels.photometry import peaks_within
    from gpu_kernels.stacking import cutouts

    frames, place, one = _frame(dtype)[None], np.array([[30.0]]), np.array([5])
    frame_widths(frames, place, place, place, gaussian(1.3), 4.0, 25.0)
    peaks_within(frames, place, place, 3.0)
    cutouts(frames, place, place, (5, 5), Development(offset=_frame("float32")))
    if dtype != "float32":
        pattern = Pattern(one, one, np.ones(1, np.float32), (20, 20))
        correlate_each(frames, 3, Development(), pattern, 10.0)


def _frame(dtype: str) -> NDArray[Any]:
    return (np.arange(60 * 60) % 251).reshape(60, 60).astype(dtype)


PARTS: dict[Part, Callable[[str], None]] = {
    "coarse": _coarse,
    "photometry": _photometry,
    "following": _following,
    "extraction": _extraction,
    "events": _events,
}


def compile_all() -> None:
    """Compile and keep what an ordinary reduction of any pixel type uses."""
    gc.set_threshold(COLLECT_AT)
    for dtype in PIXEL_TYPES:
        _first(dtype)
        for part, compile_part in PARTS.items():
            compile_part(dtype)
            _mark(part, dtype).touch()
        _seldom(dtype)


def _compile_unclaimed(dtype: str, claims: Path, order: list[str]) -> None:
    """Compile the parts that nobody has claimed, for as long as anybody waits for them."""
    gc.set_threshold(COLLECT_AT)
    for part in sorted(PARTS, key=order.index):
        if not _mark(part, dtype).exists() and claims.exists() and _claimed(claims, part, dtype):
            PARTS[part](dtype)
            _mark(part, dtype).touch()


if __name__ == "__main__":
    if sys.argv[1:]:
        _compile_unclaimed(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
    else:
        compile_all()
