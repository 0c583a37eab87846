"""``report.html``: one file with everything a reader needs to judge a light curve."""

import base64
from collections.abc import Iterable
from functools import cache
from importlib import resources

from jinja2 import Environment, StrictUndefined, Template

from reduction.outputs.charts import Chart, make_chart
from reduction.outputs.event_chart import event_chart
from reduction.outputs.event_words import event_rows, event_title
from reduction.outputs.reproduce import command, plan_toml
from reduction.outputs.tables import FLAG_MEANINGS
from reduction.outputs.verdict import Verdict, flag_count
from reduction.outputs.words import all_notes, duration, figure, percent, plural
from reduction.plan import Position
from reduction.result import ReductionResult, Star
from reduction.timing import UNKNOWN_NS, utc_text

Row = tuple[str, str]

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
"""The page may load nothing."""


def report_page(result: ReductionResult, verdict: Verdict, lightcurve_png: bytes, finder_png: bytes) -> str:
    """Return the page: self-contained, without scripts or outside references; all text escaped.

    Parameters
    ----------
    result : ReductionResult
        A whole reduction.
    verdict : Verdict
        Its judgement, which stands at the top.
    lightcurve_png, finder_png : bytes
        The figures.
    """
    return _template().render(
        policy=POLICY,
        result=result,
        verdict=verdict,
        event=result.event,
        event_title=event_title(result),
        event_rows=event_rows(result),
        event_chart=event_chart(result),
        lightcurve_uri=_data_uri(lightcurve_png),
        finder_uri=_data_uri(finder_png),
        summary=_summary_line(result),
        finding=_lightcurve_alt(result),
        quality=_quality_rows(result),
        flags=_flag_rows(result),
        settings=_setting_rows(result),
        alignment=_alignment_rows(result),
        photometry=_photometry_rows(result),
        charts=_charts(result),
        ledger=result.times.ledger,
        times=_time_rows(result),
        notes=all_notes(result),
        provenance=_provenance_rows(result),
        metadata=sorted(result.source.metadata.items()),
        plan=plan_toml(result.plan),
        command=command(result),
        figure=figure,
        duration=duration,
    )


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    text = resources.files("reduction.outputs").joinpath("page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(text)


def _data_uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _summary_line(result: ReductionResult) -> str:
    source = result.source
    parts = [
        source.format.upper(),
        f"{plural(source.frames, 'frame')} of {source.width} × {source.height}",
        f"{source.dtype}, {source.colour}",
    ]
    first, last = _span(result)
    if first:
        parts.append(f"{first} to {last}")
    return " · ".join(parts)


def _span(result: ReductionResult) -> tuple[str, str]:
    mid = result.lightcurve.mid_ns
    known = mid[mid != UNKNOWN_NS]
    if not known.size:
        return "", ""
    return utc_text(int(known.min()), 3), utc_text(int(known.max()), 3)


def _lightcurve_alt(result: ReductionResult) -> str:
    quality = result.quality
    return (
        f"Light curve of {plural(quality.points, 'point')}: target over reference, target, reference; "
        f"scatter {percent(quality.scatter)}"
    )


def _quality_rows(result: ReductionResult) -> list[Row]:
    quality = result.quality
    return [
        ("points, of these good", f"{quality.points:,}, {quality.good_points:,}"),
        ("scatter, out of event", percent(quality.scatter)),
        ("predicted", percent(quality.predicted_scatter)),
        ("reduced χ², out of event", figure(quality.chi2_reduced)),
        ("factor applied to sigmas", figure(quality.sigma_scale)),
        ("median signal-to-noise", figure(quality.median_snr)),
    ]


def _flag_rows(result: ReductionResult) -> list[tuple[int, str, str, int]]:
    """Return bit, name, meaning and count of each flag that is set somewhere."""
    rows = [
        (int(flag), str(flag.name).lower().replace("_", " "), meaning, flag_count(result.lightcurve, flag))
        for flag, meaning in FLAG_MEANINGS.items()
    ]
    return [row for row in rows if row[3]]


def _setting_rows(result: ReductionResult) -> list[tuple[str, str, str]]:
    """Return setting, what the plan asks, what was used."""
    plan, photometry = result.plan, result.photometry
    sky = "" if plan.sky_px is None else f"{plan.sky_px.inner:g} to {plan.sky_px.outer:g} px"
    target = () if plan.target is None else (plan.target,)
    return [
        ("target", _positions(target), _names(s for s in result.stars if s.role == "target")),
        ("references", _positions(plan.references), _names(s for s in result.stars if s.role == "reference")),
        ("guides", _positions(plan.guides), _names(s for s in result.stars if s.is_guide)),
        ("positions hold on frame", str(plan.frame), str(plan.frame)),
        ("aperture radius", _asked(plan.aperture_px, " px"), f"{photometry.aperture_px:.2f} px"),
        (
            "sky annulus",
            sky or "to be chosen",
            f"{photometry.sky_px[0]:.2f} to {photometry.sky_px[1]:.2f} px",
        ),
        ("extraction", plan.extract, photometry.extraction),
        ("sky level", plan.sky_estimate, photometry.sky_estimate),
        ("gain", _asked(plan.gain_e_per_adu, " e⁻/ADU"), _gain(result)),
        ("read noise", _asked(plan.read_noise_e, " e⁻"), _read_noise(result)),
        ("channel", plan.channel, plan.channel),
        ("segment", f"{plan.segment} samples", f"{plan.segment} samples"),
        ("survey", f"{plan.survey_frames} frames", f"at most {plan.survey_frames} frames"),
        (
            "stars",
            f"at most {plan.max_stars}, above {plan.detection_sigma:g} σ",
            plural(len(result.stars), "star"),
        ),
    ]


def _asked(value: float | None, unit: str) -> str:
    return "to be chosen" if value is None else f"{value:g}{unit}"


def _positions(positions: tuple[Position, ...]) -> str:
    return "; ".join(f"{p.x:g}, {p.y:g}" for p in positions) or "to be chosen"


def _names(stars: Iterable[Star]) -> str:
    return "; ".join(f"{s.name} ({s.x:.2f}, {s.y:.2f})" for s in stars) or "none"


def _gain(result: ReductionResult) -> str:
    photometry = result.photometry
    return (
        f"{figure(photometry.gain)} ± {figure(photometry.gain_sigma, 2)} e⁻/ADU, "
        f"from {photometry.gain_source}"
    )


def _read_noise(result: ReductionResult) -> str:
    photometry = result.photometry
    if photometry.read_noise is None:
        return f"not known ({photometry.read_noise_source})"
    return f"{figure(photometry.read_noise)} e⁻, from {photometry.read_noise_source}"


def _alignment_rows(result: ReductionResult) -> list[Row]:
    alignment = result.alignment
    steps = {name: count for name, count in alignment.counts.items() if name != "lost"}
    return [
        ("method", alignment.method),
        ("guide stars", str(alignment.guides)),
        *((f"frames: {step}", f"{count:,}") for step, count in steps.items()),
        ("frames lost", f"{alignment.lost_frames:,}"),
        ("predicted error of the target's position", f"{figure(alignment.shift_sigma_px, 2)} px"),
        (
            "range of the drift, x and y",
            f"{figure(alignment.range_x_px)} and {figure(alignment.range_y_px)} px",
        ),
        ("largest rotation", f"{figure(alignment.rotation_deg, 2)}°"),
    ]


def _photometry_rows(result: ReductionResult) -> list[Row]:
    photometry = result.photometry
    level = photometry.saturation_adu
    return [
        ("aperture radius", f"{photometry.aperture_px:.2f} px"),
        ("extraction", f"{photometry.extraction}: {photometry.extraction_reason}"),
        ("sky annulus", f"{photometry.sky_px[0]:.2f} to {photometry.sky_px[1]:.2f} px"),
        ("sky level", _sky_level(result)),
        ("image width (FWHM)", f"{figure(photometry.fwhm_px)} px"),
        ("gain", _gain(result)),
        ("read noise", _read_noise(result)),
        ("saturation level", "none found" if level is None else f"{level:,.6g} ADU"),
    ]


def _sky_level(result: ReductionResult) -> str:
    photometry = result.photometry
    shared = photometry.extraction in {"optimal", "psf"} and photometry.sky_estimate == "mean"
    return f"{photometry.sky_estimate} of the annulus" + (", with what all stars' share" if shared else "")


def _charts(result: ReductionResult) -> list[Chart]:
    photometry = result.photometry
    at = photometry.aperture_px
    radii = photometry.radii_px
    charts = (
        make_chart("fraction of the flux inside", "radius, px", radii, photometry.growth, at, 0.0),
        make_chart(
            "predicted σ of the normalised flux", "radius, px", radii, photometry.predicted_sigma, at, 0.0
        ),
    )
    return [chart for chart in charts if chart is not None]


def _time_rows(result: ReductionResult) -> list[Row]:
    times = result.times
    first, last = _span(result)
    cadence = times.cadence_s()
    return [
        ("source", times.source),
        ("stamps mark", times.meaning or "nothing: there are none"),
        ("first and last mid-exposure", f"{first} to {last}" if first else "unknown"),
        ("frames with a time", f"{int(times.known.sum()):,} of {times.known.size:,}"),
        ("cadence", "unknown" if cadence is None else duration(cadence)),
    ]


def _provenance_rows(result: ReductionResult) -> list[Row]:
    provenance = result.provenance
    seconds = provenance.seconds
    return [
        ("key of the result", provenance.key),
        ("plan", provenance.plan_digest),
        ("pixels", provenance.pixel_digest),
        ("times", provenance.time_digest),
        *((kind, digest) for kind, digest in provenance.calibration.items()),
        ("Umbra", provenance.version),
        ("stages", ", ".join(f"{name} {version}" for name, version in provenance.stages.items())),
        ("device", provenance.device),
        ("libraries", ", ".join(f"{name} {version}" for name, version in provenance.libraries.items())),
        ("time taken", ", ".join(f"{name} {duration(s)}" for name, s in seconds.items())),
    ]
