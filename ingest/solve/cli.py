"""The verb `umbra solve`."""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from ingest.archives.opening import open_archive
from ingest.cli import Member, progress_bar
from ingest.convert import stack_of
from ingest.solve.catalogue import read_catalogue
from ingest.solve.index import Aim, solve_by_index
from ingest.solve.kept import check_side_files, put_side_files, put_solution
from ingest.solve.side_place import side_file
from ingest.stack import ZarrStack
from ingest.timeoptions import TimeOptions
from reduction.astrometry.angles import dec_text, parse_length, parse_position, ra_text
from reduction.astrometry.match import Match, match_field
from reduction.astrometry.motion import julian_year
from reduction.astrometry.solution import SkySolution
from reduction.astrometry.stars import SkyStars
from reduction.command import run_verb
from reduction.errors import RequestError, ResourceError
from reduction.plan import ReductionPlan, make_plan
from reduction.stack import Stack

WIDEST_SCALE = (0.2, 30.0)
"""Pixel scales searched where none is given, arcsec."""


def solve(arguments: list[str]) -> int:
    """Run `umbra solve`; returns the exit code."""
    return run_verb("solve", _solve, arguments)


def _solve(
    paths: Annotated[
        list[str], typer.Argument(metavar="INPUT...", help="A recording: file, folder, glob, stack, archive.")
    ],
    center: Annotated[
        str, typer.Option("--center", metavar="RA,DEC", help="Where it points, roughly (ICRS).")
    ],
    radius: Annotated[str, typer.Option("--radius", metavar="R", help="How roughly: degrees, 30' or 90\".")],
    scale: Annotated[
        str | None, typer.Option("--scale", metavar="LOW,HIGH", help="Arcsec per pixel (0.2,30).")
    ] = None,
    index: Annotated[
        Path | None, typer.Option("--index", metavar="FOLDER", help="Index files of astrometry.net.")
    ] = None,
    catalogue: Annotated[
        Path | None, typer.Option("--catalogue", metavar="FILE", help="Stars of the field: CSV, VOTable, ...")
    ] = None,
    frame: Annotated[int, typer.Option(help="Frame on which the solution holds.")] = 0,
    member: Member = None,
    cpu_limit: Annotated[
        int, typer.Option(metavar="S", help="Seconds for solve-field.", min=1, max=86400)
    ] = 60,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE.wcs", help="Side file (INPUT's name + .wcs).")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace side files.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the solution as JSON.")] = False,
) -> None:
    """Find where a recording points, and keep the plate solution with it."""
    if index is None and catalogue is None:
        raise RequestError("give --index FOLDER (astrometry.net's files), --catalogue FILE, or both")
    if out is not None and out.suffix != ".wcs":
        raise RequestError(f"--out {out}: the name must end in .wcs")
    place = parse_position(center, "--center")
    aim = Aim(place.ra_deg, place.dec_deg, parse_length(radius, "--radius"), parse_scale(scale))
    plan = make_plan({"frame": frame, "max_stars": 60}, "options")
    sky = None if catalogue is None else read_catalogue(catalogue)
    side = out or side_file(paths)
    stored = _stored_in(paths)
    if out is not None or stored is None:
        check_side_files(side, overwrite)
    with _scratch() as folder:
        with progress_bar("open") as progress:
            opened = open_archive(paths, folder / "archive", member, progress)
        inputs = paths if opened is None else list(opened.inputs)
        stack = stack_of(inputs, folder, TimeOptions())
        try:
            match = _found(stack, plan, aim, index, sky, folder, cpu_limit)
            solution = _signed(match.solution, stack)
        finally:
            stack.close()
    kept = _keep(solution, stored if out is None else None, side, overwrite)
    if as_json:
        document = {**solution.as_json(), **_figures(solution), "kept": kept, "matches": _matches(match)}
        sys.stdout.write(json.dumps(document, indent=1, allow_nan=False) + "\n")
    else:
        sys.stdout.write(report(solution, match, kept))


def parse_scale(text: str | None) -> tuple[float, float]:
    """Limits of the pixel scale, arcsec, from ``LOW,HIGH`` or one value (then within 10 %).

    Raises
    ------
    RequestError
        They are no such numbers.
    """
    if text is None:
        return WIDEST_SCALE
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) == 1:
        numbers = [numbers[0] / 1.1, numbers[0] * 1.1]
    if len(numbers) != 2 or not 0.01 <= numbers[0] < numbers[1] <= 3600.0:
        raise RequestError(f"--scale {text!r}: give LOW,HIGH in arcsec per pixel, 0.01 to 3600, e.g. 0.9,1.1")
    return numbers[0], numbers[1]


def _scratch() -> Any:
    try:
        return _Folder()
    except OSError as error:
        raise ResourceError(f"no scratch folder: {error.strerror or error}; set TMPDIR") from error


class _Folder(tempfile.TemporaryDirectory[str]):
    """A scratch folder as a path."""

    def __enter__(self) -> Path:  # type: ignore[override]  # a path says more than its text
        return Path(super().__enter__())


def _stored_in(paths: list[str]) -> Path | None:
    """The stack that is given, if one is."""
    only = Path(paths[0])
    return only if len(paths) == 1 and (only / "zarr.json").is_file() else None


def _found(
    stack: Stack,
    plan: ReductionPlan,
    aim: Aim,
    index: Path | None,
    sky: SkyStars | None,
    folder: Path,
    limit_s: int,
) -> Match:
    """The match of the deep image's stars."""
    from reduction.astrometry.reference import deep_image

    deep = deep_image(stack, plan)
    year = _year(stack)
    at_epoch = None if sky is None else sky.at(year)
    centre = (aim.ra_deg, aim.dec_deg)
    if index is None:
        assert at_epoch is not None  # one of the two is given
        return match_field(deep.stars, at_epoch, centre, aim.radius_deg, aim.scale, deep.frame)
    scratch = folder / "index"
    scratch.mkdir()
    found = solve_by_index(deep.stars, aim, index, scratch, limit_s, deep.frame, at_epoch)
    return replace(found, solution=replace(found.solution, method="index"))


def _year(stack: Stack) -> float | None:
    """Julian year of the recording; None where its times are not known."""
    known = stack.times.mid_ns[stack.times.known]
    return julian_year(int(np.median(known))) if known.size else None


def _signed(solution: SkySolution, stack: Stack) -> SkySolution:
    """The solution with the recording's pixel digest, where it is known without reading all of it."""
    digest = stack.digest if isinstance(stack, ZarrStack) and stack.path.name != "stack.zarr" else ""
    return replace(solution, pixel_digest=str(digest))


def _keep(solution: SkySolution, stored: Path | None, side: Path, overwrite: bool) -> str:
    """Keep a solution with its recording; says where."""
    if stored is not None:
        put_solution(stored, solution)
        return f"{stored}/wcs/{solution.digest[:12]}"
    put_side_files(side, solution, overwrite)
    return str(side)


def _figures(solution: SkySolution) -> dict[str, Any]:
    x, y = 0.5 * (solution.width - 1), 0.5 * (solution.height - 1)
    ra, dec = solution.to_sky(x, y)
    return {
        "center_ra_deg": float(ra),
        "center_dec_deg": float(dec),
        "scale_arcsec": solution.scale_arcsec,
        "up_deg": solution.up_deg,
        "mirrored": solution.mirrored,
        "rms_arcsec": solution.rms_px * solution.scale_arcsec,
        "center_sigma_arcsec": float(solution.sigma_px(x, y)) * solution.scale_arcsec,
        "false_match_probability": solution.false_match_probability,
    }


def _matches(match: Match) -> list[dict[str, float]]:
    rows = zip(match.seen, match.sky, match.residual_px, match.sigma_px, strict=True)
    return [
        {
            "x": float(match.stars_seen.x[i]),
            "y": float(match.stars_seen.y[i]),
            "ra_deg": float(match.stars.ra[j]),
            "dec_deg": float(match.stars.dec[j]),
            "residual_px": float(miss),
            "sigma_px": float(sigma),
        }
        for i, j, miss, sigma in rows
    ]


def report(solution: SkySolution, match: Match, kept: str) -> str:
    """A few lines for people."""
    s = solution
    x, y = 0.5 * (s.width - 1), 0.5 * (s.height - 1)
    ra, dec = (float(v) for v in s.to_sky(x, y))
    corners = s.sigma_px(np.array([0.0, s.width - 1.0]), np.array([0.0, s.height - 1.0])).max()
    wide, tall = (n * s.scale_arcsec / 60.0 for n in (s.width, s.height))
    side = "mirrored: east is clockwise from north" if s.mirrored else "east is counter-clockwise from north"
    epoch = "at the epochs of the catalogue" if s.epoch is None else f"at epoch {s.epoch:.3f}"
    lines = [
        f"frame {s.frame} shows {ra_text(ra, 2)} {dec_text(dec, 1)} (ICRS) in its middle, "
        f"{wide:.1f}' x {tall:.1f}'",
        f"  scale {s.scale_arcsec:.4f} arcsec per pixel; up is {s.up_deg:.2f} deg from north through east; "
        f"{side}",
        f"  {s.stars} of {len(match.stars_seen)} stars found are stars of {s.catalogue}, {epoch} ({s.model})",
        f"  residuals {s.rms_px:.3f} px = {s.rms_px * s.scale_arcsec:.3f} arcsec rms each axis; a place is "
        "predicted to "
        f"{s.sigma_px(x, y):.3f} px in the middle, {corners:.3f} px in the corners",
        f"  a match by chance has probability {max(s.false_match_probability, 1e-99):.0e}",
        f"  {kept}",
    ]
    return "\n".join(lines) + "\n"
