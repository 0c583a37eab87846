"""The verb `umbra reduce`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cluster.recording import ReductionRequest, Times, positions, reduce_to_folder
from ingest.solve.request import SkyRequest
from ingest.time_arguments import Words, time_options, with_time_options
from reduction.command import run_verb
from reduction.errors import RequestError
from reduction.events.options import Words as EventWords
from reduction.events.options import event_fields, with_event_options
from reduction.outputs.event_words import event_rows, event_title
from reduction.outputs.verdict import judge
from reduction.plan import load_plan, make_plan
from reduction.response import read_response
from reduction.result import ReductionResult
from reduction.scan import Progress as Report


def reduce(arguments: list[str]) -> int:
    """Run `umbra reduce`; returns the exit code."""
    return run_verb("reduce", with_time_options(with_event_options(_reduce)), arguments)


def _reduce(
    inputs: Annotated[
        list[str], typer.Argument(metavar="INPUT", help="Recording: file, folder, glob, stack, archive.")
    ],
    times: Words,
    event: EventWords,
    target: Annotated[str | None, typer.Option(metavar="X,Y", help="The occulted star.")] = None,
    reference: Annotated[list[str] | None, typer.Option(metavar="X,Y", help="Comparison star.")] = None,
    guide: Annotated[list[str] | None, typer.Option(metavar="X,Y", help="Tracking star.")] = None,
    target_sky: Annotated[
        str | None, typer.Option(metavar="RA,DEC", help="The occulted star, by its place (umbra solve).")
    ] = None,
    wcs: Annotated[str | None, typer.Option(metavar="FILE", help="Plate solution (kept one).")] = None,
    catalogue: Annotated[
        str | None, typer.Option(metavar="FILE", help="Takes the star's motion from a catalogue.")
    ] = None,
    epoch: Annotated[float | None, typer.Option(metavar="YEAR", help="Of --target-sky.")] = None,
    pm: Annotated[str | None, typer.Option(metavar="RA,DEC", help="Proper motion, mas/yr.")] = None,
    parallax: Annotated[float | None, typer.Option(metavar="MAS", help="Of the star.")] = None,
    frame: Annotated[int | None, typer.Option(help="Frame on which positions hold (0).")] = None,
    aperture: Annotated[float | None, typer.Option(metavar="R", help="Aperture radius, px.")] = None,
    sky: Annotated[str | None, typer.Option(metavar="RIN,ROUT", help="Sky annulus, px.")] = None,
    extract: Annotated[
        str | None,
        typer.Option(metavar="auto|aperture|optimal|mask|psf", help="How fluxes are taken."),
    ] = None,
    sky_estimate: Annotated[
        str | None, typer.Option(metavar="mean|median|mode", help="Sky level of the annulus (mean).")
    ] = None,
    bias: Annotated[str | None, typer.Option(metavar="P", help="Bias: file, folder or stack.")] = None,
    dark: Annotated[str | None, typer.Option(metavar="P", help="Dark: file, folder or stack.")] = None,
    flat: Annotated[str | None, typer.Option(metavar="P", help="Flat: file, folder or stack.")] = None,
    calibration: Annotated[
        bool, typer.Option(help="Use bias, dark, flat of the FITS folder or archive.")
    ] = True,
    gain: Annotated[float | None, typer.Option(metavar="G", help="Electrons per ADU.")] = None,
    read_noise: Annotated[float | None, typer.Option(metavar="E", help="Electrons.")] = None,
    gamma: Annotated[float | None, typer.Option(metavar="G", help="Undo the camera's gamma (0.45).")] = None,
    response: Annotated[str | None, typer.Option(metavar="CSV", help="level,linear: its inverse.")] = None,
    follow: Annotated[
        bool | None, typer.Option(help="Follow guides from frame to frame; else correlate every frame.")
    ] = None,
    channel: Annotated[str | None, typer.Option(metavar="L|R|G|B", help="Colour measured (L: all).")] = None,
    first_field: Annotated[
        str | None, typer.Option("--fields", metavar="off|auto|top|bottom", help="First field of each frame.")
    ] = None,
    integration: Annotated[
        str | None, typer.Option(metavar="auto|off|N", help="Frames that show one picture (auto).")
    ] = None,
    roi: Annotated[float | None, typer.Option(metavar="N", help="Last search, px around (20).")] = None,
    member: Annotated[str | None, typer.Option(metavar="NAME", help="Recording of an archive.")] = None,
    coordinates: Annotated[
        str | None, typer.Option(metavar="CSV", help="Places where stars fail: PyMovie, or frame,x,y.")
    ] = None,
    row_noise: Annotated[str | None, typer.Option(metavar="on|off|auto", help="Take off row noise.")] = None,
    plan: Annotated[str | None, typer.Option(metavar="FILE", help="Plan, TOML; options win.")] = None,
    out: Annotated[str | None, typer.Option(metavar="DIR", help="Results (INPUT's name + -umbra).")] = None,
    device: Annotated[str, typer.Option(metavar="auto|cpu|cuda:N", help="Where kernels run.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace earlier results in DIR.")] = False,
) -> None:
    """Reduce a recording to a light curve, plots and a report."""
    if device not in {"auto", "cpu"} and not device.removeprefix("cuda:").isdigit():
        raise RequestError(f"--device {device}: give auto, cpu or cuda:N")
    time_options(times)
    fields: dict[str, Any] = {} if plan is None else load_plan(Path(plan)).model_dump(exclude_unset=True)
    fields |= _fields(target, reference, guide, frame, aperture, sky, gain, read_noise)
    words = {"channel": channel, "fields": first_field, "follow": follow, "row_noise": row_noise}
    fields |= {name: word for name, word in words.items() if word is not None}
    if integration is not None:
        fields["integration"] = int(integration) if integration.isdigit() else integration
    if event or "event" in fields:
        fields["event"] = event_fields(event, fields.get("event"))
    if gamma is not None or response is not None:
        fields |= _response_fields(gamma, response)
    fields |= {
        name: value
        for name, value in {"extract": extract, "sky_estimate": sky_estimate, "roi_px": roi}.items()
        if value is not None
    }
    request = ReductionRequest(
        inputs=tuple(inputs),
        member=member,
        plan=make_plan(fields, "options"),
        times=Times(**times),
        bias=bias,
        dark=dark,
        flat=flat,
        coordinates=coordinates,
        sky=_sky(target, target_sky, wcs, catalogue, epoch, pm, parallax),
        calibration=calibration,
        device=device,
    )
    folder = Path(out) if out is not None else _default_out(inputs[0])
    with progress_bar() as progress:
        result = reduce_to_folder(request, folder, overwrite, progress)
    if as_json:
        sys.stdout.write((folder / "summary.json").read_text(encoding="utf-8"))
    else:
        sys.stdout.write(_report(result, folder))


def _sky(
    target: str | None,
    target_sky: str | None,
    wcs: str | None,
    catalogue: str | None,
    epoch: float | None,
    pm: str | None,
    parallax: float | None,
) -> SkyRequest:
    """The target by its place on the sky."""
    if target is not None and target_sky is not None:
        raise RequestError("--target and --target-sky both name the target: give one of them")
    try:
        return SkyRequest(
            target=target_sky, wcs=wcs, catalogue=catalogue, epoch=epoch, pm=pm, parallax=parallax
        )
    except ValidationError as error:
        fault = error.errors()[0]
        raise RequestError(f"--{fault['loc'][0]} {fault['input']}: {fault['msg']}") from error


def _fields(
    target: str | None,
    reference: list[str] | None,
    guide: list[str] | None,
    frame: int | None,
    aperture: float | None,
    sky: str | None,
    gain: float | None,
    read_noise: float | None,
) -> dict[str, Any]:
    """Fields of the plan that options set."""
    fields: dict[str, Any] = {}
    if target is not None:
        fields["target"] = positions([target], "--target")[0]
    if reference:
        fields["references"] = positions(reference, "--reference")
    if guide:
        fields["guides"] = positions(guide, "--guide")
    if sky is not None:
        pair = positions([sky], "--sky")[0]
        fields["sky_px"] = {"inner": pair["x"], "outer": pair["y"]}
    plain = {
        "frame": frame,
        "aperture_px": aperture,
        "gain_e_per_adu": gain,
        "read_noise_e": read_noise,
    }
    return fields | {name: value for name, value in plain.items() if value is not None}


def _response_fields(gamma: float | None, response: str | None) -> dict[str, Any]:
    """Fields of the plan that undo the camera's response; the options replace what a plan file says."""
    table = None if response is None else read_response(Path(response))
    return {"gamma": gamma, "response": table}


def _default_out(first: str) -> Path:
    """Results beside the working folder, named after the input."""
    stem = Path(first.rstrip("/*?[]")).name.split(".")[0]
    return Path(f"{stem or 'recording'}-umbra")


@contextmanager
def progress_bar() -> Iterator[Report | None]:
    """A progress bar on a terminal; None elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    columns = (TextColumn("{task.description:<8}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield report


def _report(result: ReductionResult, folder: Path) -> str:
    """A few lines for people: verdict, figures, caveats, paths."""
    verdict = judge(result)
    q, p = result.quality, result.photometry
    lines = [
        f"{result.source.name}: {result.source.frames} frames, {result.source.width} x {result.source.height}"
    ]
    if result.event is not None:
        lines += [f"  {event_title(result)}: {result.event.reason}"]
        lines += [f"    {name}: {value}" for name, value in event_rows(result)]
    lines += [f"  {item.state:<8}{item.topic}: {item.sentence}" for item in verdict.items]
    lines.append(
        f"  scatter {q.scatter:.4f} (predicted {q.predicted_scatter:.4f}), chi2 {q.chi2_reduced:.2f}, "
        f"{p.extraction}, aperture {p.aperture_px:.2f} px, sky {p.sky_px[0]:g}-{p.sky_px[1]:g} px"
    )
    lines += [f"  note: {note.message}" for note in result.notes]
    lines.append(f"  {folder / 'report.html'}")
    return "\n".join(lines) + "\n"
