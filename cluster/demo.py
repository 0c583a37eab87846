"""The demo: synthesise a campaign with known truth, reduce it as `umbra reduce` does, compare."""

import json
from collections.abc import Callable
from pathlib import Path

from cluster.demo_campaign import DemoStation, Recording, demo_stations, record
from cluster.demo_compare import StationOutcome, compare, outcome_record, outcome_text
from cluster.demo_picture import draw_campaign
from cluster.recording import ReductionRequest, Times, reduce_to_folder
from reduction.errors import RequestError, ResourceError
from reduction.outputs.folder import placed
from reduction.version import VERSION

SCHEMA = "umbra-demo-1"
FEWEST, MOST = 200, 20_000


def run_demo(
    out: Path,
    *,
    overwrite: bool = False,
    frames: int = 800,
    picture: Path | None = None,
    say: Callable[[str], None] = print,
) -> tuple[StationOutcome, ...]:
    """Synthesise, reduce and compare the demo's campaign.

    Parameters
    ----------
    out : Path
        Folder to make: ``recordings/``, one folder of outputs per station, ``campaign.png``, ``demo.json``.
    overwrite : bool
        Replace the folder of an earlier demo.
    frames : int
        Frames per recording, `FEWEST` to `MOST`.
    picture : Path, optional
        Write the campaign's picture here too.
    say : callable
        Takes each piece of the account.

    Raises
    ------
    RequestError
        `frames` out of range, or `out` cannot be replaced.
    ResourceError
        The disk is full or not writable.
    """
    if not FEWEST <= frames <= MOST:
        raise RequestError(f"--frames {frames}: give {FEWEST} to {MOST}, so that the event has a baseline")
    _check_out(out, overwrite)
    try:
        with placed(out) as scratch:
            (scratch / "recordings").mkdir()
            outcomes = tuple(_run_station(station, scratch, say) for station in demo_stations(frames))
            draw_campaign(outcomes, scratch / "campaign.png")
            content = {
                "schema": SCHEMA,
                "version": VERSION,
                "frames": frames,
                "stations": [outcome_record(outcome) for outcome in outcomes],
            }
            (scratch / "demo.json").write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
            if picture is not None:
                draw_campaign(outcomes, picture)
    except OSError as error:
        raise ResourceError(
            f"{out}: the demo cannot be written: {error.strerror or error}; make room or choose another --out"
        ) from error
    say("reports")
    for outcome in outcomes:
        say(f"  {out / outcome.station.key / 'report.html'}")
    for path in (out / "campaign.png", picture):
        if path is not None:
            say(f"  {path}")
    return outcomes


def _run_station(station: DemoStation, folder: Path, say: Callable[[str], None]) -> StationOutcome:
    recording = record(station, folder / "recordings")
    result = reduce_to_folder(_request(recording), folder / station.key)
    outcome = compare(station, result)
    say(outcome_text(outcome) + "\n")
    return outcome


def _request(recording: Recording) -> ReductionRequest:
    return ReductionRequest(
        inputs=(str(recording.path),),
        times=Times(meaning="start", table=_text(recording.times)),
        bias=_text(recording.bias),
        dark=_text(recording.dark),
        flat=_text(recording.flat),
    )


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _check_out(out: Path, overwrite: bool) -> None:
    if out.exists() and not out.is_dir():
        raise RequestError(f"{out}: is a file; --out names a folder")
    if not out.exists() or not any(out.iterdir()):
        return
    if not overwrite:
        raise RequestError(
            f"{out}: exists and is not empty; add --overwrite, or name another folder by --out"
        )
    try:
        schema = json.loads((out / "demo.json").read_text(encoding="utf-8"))["schema"]
    except (OSError, ValueError, KeyError, TypeError):
        schema = None
    if schema != SCHEMA:
        raise RequestError(f"{out}: not the folder of a demo; nothing was overwritten; choose another --out")
