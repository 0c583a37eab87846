"""Plate solving by astrometry.net's ``solve-field``, as a child process with limits and a scratch folder."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingest.solve.header import read_wcs_file
from reduction.astrometry.match import Match, refine, sound
from reduction.astrometry.odds import LEAST_STARS
from reduction.astrometry.solution import SkySolution
from reduction.astrometry.stars import FrameStars, SkyStars
from reduction.errors import DataError, RequestError, ResourceError

PROGRAM = "solve-field"
MOST_STARS = 300
WALL_FACTOR, WALL_EXTRA_S = 2.0, 20.0
"""A busy machine gives a process less than its time: wall-clock limit from that of the processor."""

QUAD_SHARE = (0.1, 1.0)
"""Sizes of an index's star patterns that can lie on a frame, in units of its diagonal."""


@dataclass(frozen=True, slots=True)
class Aim:
    """Where and at which scale to search: degrees, and arcsec per pixel."""

    ra_deg: float
    dec_deg: float
    radius_deg: float
    scale: tuple[float, float]


def solve_by_index(
    seen: FrameStars, aim: Aim, folder: Path, scratch: Path, limit_s: int, frame: int, sky: SkyStars | None
) -> Match:
    """Solve with an operator's index files; then fit and judge the match as any other.

    Parameters
    ----------
    seen : FrameStars
    aim : Aim
    folder : Path
        Holds ``index-*.fits``.
    scratch : Path
        An empty folder.
    limit_s : int
        Limit of processor time, seconds.
    frame : int
        Number of the frame that `seen` is of.
    sky : SkyStars, optional
        A catalogue of the field, whose places are better than the index's.

    Raises
    ------
    ResourceError
        astrometry.net is not installed, or took longer than its limit.
    RequestError
        No index file there is of this scale.
    DataError
        There is no solution, or it does not stand the test.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise ResourceError(
            f"{PROGRAM} is not installed (Debian: apt-get install astrometry.net); else give --catalogue"
        )
    if len(seen) < LEAST_STARS:
        raise DataError(
            f"{len(seen)} stars found on the frame; at least {LEAST_STARS} are needed to solve it"
        )
    files = _usable(folder, seen, aim)
    _write_stars(scratch / "field.fits", seen)
    settings = [f"cpulimit {limit_s}", *(f"index {file}" for file in files)]
    (scratch / "astrometry.cfg").write_text("\n".join(settings) + "\n", encoding="utf-8")
    log = _run([program, *_arguments(seen, aim, limit_s)], scratch, limit_s)
    if not (scratch / "field.wcs").is_file() or not (scratch / "field.solved").is_file():
        raise _explained(log, folder, files, seen, aim, limit_s)
    rough = read_wcs_file(scratch / "field.wcs", seen.width, seen.height, frame)
    stars = _index_stars(scratch / "field.rdls") if sky is None else sky
    return _judged(seen, rough, stars, aim, frame)


def _judged(seen: FrameStars, rough: SkySolution, sky: SkyStars, aim: Aim, frame: int) -> Match:
    """Our own fit of the stars that the index, or a catalogue, has there."""
    field = seen.width * seen.height * (rough.scale_arcsec / 3600.0) ** 2
    searched = int(len(sky) * max(1.0, np.pi * aim.radius_deg**2 / field))
    found = refine(seen, sky, rough, frame, searched, 0.01 * seen.diagonal)
    if found is None or not sound(found):
        raise DataError(
            f"{PROGRAM} proposes a solution at {rough.ra_deg:.4f},{rough.dec_deg:+.4f}, but too few stars of "
            f"{sky.name} lie where it puts them; not used. Check --scale and --radius"
        )
    return found


def _usable(folder: Path, seen: FrameStars, aim: Aim) -> list[Path]:
    """Index files whose patterns fit on the frame.

    Raises
    ------
    RequestError
        There is none.
    """
    from astropy.io import fits

    if not folder.is_dir():
        raise RequestError(f"--index {folder}: is no folder; it must hold astrometry.net's index-*.fits")
    files = sorted(p for p in folder.rglob("*.fits") if p.is_file())
    low, high = (seen.diagonal * s * share for s, share in zip(aim.scale, QUAD_SHARE, strict=True))
    usable: list[tuple[Path, float, float]] = []
    others: list[tuple[Path, float, float]] = []
    for path in files:
        try:
            with fits.open(path) as opened:
                head = opened[0].header
                smallest, largest = (np.degrees(float(head[k])) * 3600.0 for k in ("SCALE_L", "SCALE_U"))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # no index: catalogues and images may lie there too
        (usable if smallest < high and largest > low else others).append((path, smallest, largest))
    if usable:
        return [path.resolve() for path, _, _ in usable]
    if not others:
        raise RequestError(f"--index {folder}: no index files of astrometry.net in it (index-*.fits)")
    there = f"{min(o[1] for o in others) / 60:.3g} to {max(o[2] for o in others) / 60:.3g} arcmin"
    raise RequestError(
        f"--index {folder}: its {len(others)} index files hold patterns of {there}; this frame needs some of "
        f"{low / 60:.3g} to {high / 60:.3g} arcmin. Add indexes of that scale, or correct --scale"
    )


def _write_stars(path: Path, seen: FrameStars) -> None:
    """The stars as a table (XYLIST): no image library is needed to read it."""
    from astropy.table import Table

    n = min(len(seen), MOST_STARS)
    columns = {"X": seen.x[:n] + 1.0, "Y": seen.y[:n] + 1.0, "FLUX": seen.flux[:n]}
    Table(columns).write(path, format="fits")


def _arguments(seen: FrameStars, aim: Aim, limit_s: int) -> list[str]:
    return [
        "--config", "astrometry.cfg", "--no-plots", "--overwrite", "--temp-dir", ".", "--new-fits", "none",
        "--width", str(seen.width), "--height", str(seen.height),
        "--x-column", "X", "--y-column", "Y", "--sort-column", "FLUX",
        "--ra", f"{aim.ra_deg:.8f}", "--dec", f"{aim.dec_deg:.8f}", "--radius", f"{aim.radius_deg:.6f}",
        "--scale-units", "arcsecperpix",
        "--scale-low", f"{aim.scale[0]:.6g}", "--scale-high", f"{aim.scale[1]:.6g}",
        "--no-remove-lines", "--uniformize", "0", "--crpix-center", "--tweak-order", "2",
        "--cpulimit", str(limit_s), "field.fits",
    ]  # fmt: skip


def _run(command: list[str], scratch: Path, limit_s: int) -> str:
    """Run it with its own process group; its output. Nothing of it outlives the limit."""
    environment = {**os.environ, "TMPDIR": str(scratch), "LC_ALL": "C"}
    with (scratch / "log.txt").open("w+b") as log:
        try:
            child = subprocess.Popen(
                command, cwd=scratch, env=environment, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise ResourceError(f"{command[0]}: cannot be started: {error.strerror or error}") from error
        try:
            child.wait(WALL_FACTOR * limit_s + WALL_EXTRA_S)
        except subprocess.TimeoutExpired:
            raise ResourceError(
                f"{PROGRAM} took longer than {WALL_FACTOR * limit_s + WALL_EXTRA_S:.0f} s and was ended; "
                "give a smaller --radius, a --scale, or a longer --cpu-limit"
            ) from None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
        log.seek(0)
        return log.read().decode("utf-8", "replace")


def _explained(
    log: str, folder: Path, files: list[Path], seen: FrameStars, aim: Aim, limit_s: int
) -> DataError | ResourceError:
    """Why there is no solution, as far as its output tells."""
    if "CPU time limit reached" in log:
        return ResourceError(
            f"{PROGRAM} found nothing within {limit_s} s of processor time; give a smaller --radius, a "
            "--scale, or a longer --cpu-limit"
        )
    if "did not solve" in log.lower():
        place = f"{aim.radius_deg:g} degrees of {aim.ra_deg:.4f},{aim.dec_deg:+.4f}"
        return DataError(
            f"{PROGRAM} found no solution for {len(seen)} stars with {len(files)} index files of {folder}, "
            f"within {place} at {aim.scale[0]:g} to {aim.scale[1]:g} arcsec per pixel; do the indexes cover "
            "that part of the sky? Check --center, --radius and --scale"
        )
    last = " ".join(log.split())[-300:] or "no output"
    return ResourceError(f"{PROGRAM} failed: {last}")


def _index_stars(path: Path) -> SkyStars:
    """Stars of the index on the frame."""
    from astropy.io import fits

    try:
        with fits.open(path) as opened:
            table = opened[1].data
            ra, dec = (np.asarray(table[name], np.float64) for name in ("RA", "DEC"))
    except (OSError, KeyError, IndexError, ValueError) as error:
        raise DataError(f"{PROGRAM}: the stars that it matched cannot be read: {error}") from error
    unknown = np.full(ra.size, np.nan)
    return SkyStars(ra, dec, unknown, unknown, unknown, unknown, unknown, name="index")
