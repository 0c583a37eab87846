"""The asteroid occultation report form of IOTA North America, 5.6.12r: a workbook with a sheet ``DATA``.

The cells are those that two programs of the field fill in the official form: PyOTE (D, R, their errors,
S/N, software, comment) and Astrid (the others); `docs/reports.md` names the source of each.
"""

from pathlib import Path

from reduction.record import ObservationRecord
from reduction.reports.form import WANTED_BY_ALL, Filled, ReadForm, file_stem, per_event, require_status
from reduction.reports.workbook_form import Layout, checked, filled, values_of
from reduction.reports.workbook_read import read_form
from reduction.reports.xlsx import open_workbook

WANTED = WANTED_BY_ALL | {
    "asteroid.number": "asteroid's number",
    "star.catalogue": "star's catalogue",
    "prediction.utc": "predicted time",
    "observers.e_mail": "e-mail",
    "observers.address": "address",
    "observers.phone": "phone",
    "observers.city": "city",
    "site.name": "nearest city",
    "telescope.ratio": "focal ratio",
    "recording.camera": "camera",
    "recording.video_format": "video format",
    "recording.exposure_s": "exposure time",
    "recording.timing_device": "timing device",
    "snr": "signal-to-noise ratio",
}

EVENT_CELLS = {
    "status": "A2",
    "year": "D5",
    "month": "K5",
    "day": "P5",
    "predicted_h": "Y5",
    "predicted_m": "AA5",
    "predicted_s": "AC5",
    "number": "E7",
    "name": "K7",
    "catalogue": "S7",
    "star": "X7",
    "observer": "D9",
    "e_mail": "S9",
    "address": "D11",
    "phone": "S11",
    "city": "D13",
    "location": "E15",
    "latitude_format": "E17",
    "longitude_format": "N17",
    "latitude": "E18",
    "north_south": "J18",
    "longitude": "N18",
    "east_west": "R18",
    "elevation": "V18",
    "elevation_unit": "W18",
    "datum": "AA18",
    "aperture": "E20",
    "aperture_unit": "H20",
    "ratio": "L20",
    "telescope": "T20",
}
"""Cells that the forms of North America and of Australia and New Zealand share."""

CELLS = EVENT_CELLS | {
    "timing": "E22",
    "device": "E23",
    "software": "O23",
    "detector": "E25",
    "format": "L25",
    "exposure": "P25",
    "detector_info": "V25",
    "clouds": "H27",
    "stability": "P27",
    "conditions": "X27",
    "started_h": "F31",
    "started_m": "H31",
    "started_s": "J31",
    "d_h": "F32",
    "d_m": "H32",
    "d_s": "J32",
    "d_error_68": "L33",
    "d_error_95": "M33",
    "d_error_99": "N33",
    "r_error_68": "L35",
    "r_error_95": "M35",
    "r_error_99": "N35",
    "r_h": "F36",
    "r_m": "H36",
    "r_s": "J36",
    "stopped_h": "F37",
    "stopped_m": "H37",
    "stopped_s": "J37",
    "snr": "W40",
    "comment": "D43",
    "added": "D44",
}

EVENT_LABELS = {
    "A1": "Result",
    "A5": "Date, UTC: year",
    "I5": "month",
    "N5": "day",
    "U5": "Predicted: h m s",
    "A7": "Asteroid: number",
    "I7": "name",
    "P7": "Star: catalogue",
    "W7": "no.",
    "A9": "Observer",
    "Q9": "E-mail",
    "A11": "Address",
    "Q11": "Phone",
    "A13": "City, country",
    "A15": "Observing location",
    "A17": "Format of latitude",
    "L17": "longitude",
    "A18": "Latitude",
    "L18": "Longitude",
    "T18": "Elevation",
    "Z18": "Datum",
    "A20": "Aperture",
    "K20": "f/",
    "Q20": "Telescope",
}
LABELS = EVENT_LABELS | {
    "A22": "Timing",
    "A23": "Timing device",
    "M23": "Software",
    "A25": "Detector",
    "J25": "Video",
    "N25": "Exposure",
    "T25": "Other",
    "A27": "Clouds (as Occult lists them)",
    "N27": "Stability",
    "V27": "Other",
    "L30": "0.68",
    "M30": "0.95",
    "N30": "0.99",
    "A31": "Started observing, UTC h m s",
    "A32": "Disappearance",
    "I33": "Error of D, s",
    "I35": "Error of R, s",
    "A36": "Reappearance",
    "A37": "Stopped observing",
    "U40": "S/N",
    "A43": "Comments",
}

LAYOUT = Layout("North American form", CELLS, LABELS)

MISS_CELL = "W38"
MISSED = {"positive": "No", "negative": "Yes"}
ENDING = {"positive": "POS", "negative": "NEG"}


def fill(record: ObservationRecord, template: Path | None = None) -> list[Filled]:
    """One workbook per event: of our own making, or the observer's own copy of the form, filled.

    Raises
    ------
    RequestError
        The observation is neither positive nor negative, or the template is not the form.
    DataError
        The template cannot be followed.
    """
    require_status(record, "North American form", tuple(ENDING))
    files = []
    for timing, suffix in per_event(record):
        layout, notes = _with_miss(record, template)
        content, left = filled(
            layout, values_of(record, timing) | {"missed": MISSED[record.status]}, template
        )
        name = f"{file_stem(record)}_{ENDING[record.status]}{suffix}.xlsx"
        notes += tuple(f"{cell} holds a formula and was left" for cell in left)
        files.append(Filled(name, content, notes))
    return files


def _with_miss(record: ObservationRecord, template: Path | None) -> tuple[Layout, tuple[str, ...]]:
    """The layout, and the cell of "Was this a Miss?" where a template shows it by what it holds.

    No program is known to fill that cell; it is taken to be that of the Trans-Tasman form if one of the
    list's words stands there already, and never written otherwise.
    """
    if template is None:
        return LAYOUT, ()
    held = checked(open_workbook(template), LAYOUT, template).values.get(MISS_CELL)
    if isinstance(held, str) and held.strip().lower() in {"yes", "no", "maybe"}:
        return Layout(LAYOUT.title, CELLS | {"missed": MISS_CELL}, LABELS), ()
    if record.status != "negative":
        return LAYOUT, ()
    return LAYOUT, ('set "Was this a Miss?" to yes yourself: its cell was not found',)


def read(path: Path) -> ReadForm:
    """Read a filled form; raises as `reduction.reports.workbook_read.read_form`."""
    return read_form(LAYOUT, path)
