"""The report form of Trans-Tasman Occultations (RASNZ), 4.1.2.G: as that of North America but for some cells.

Its map is known from one program alone that fills it; what that program's list of cells and its code say
differently stands in `docs/reports.md`. The code's cells are taken: they are those that were filled.
"""

from pathlib import Path

from reduction.record import ObservationRecord, Timing
from reduction.reports.clock import rounded_up, timing_digits
from reduction.reports.form import Filled, ReadForm, file_stem, per_event, plain, require_status
from reduction.reports.iota_na import EVENT_CELLS, EVENT_LABELS
from reduction.reports.iota_na import WANTED as NORTH_AMERICA
from reduction.reports.reading import NORMAL_95
from reduction.reports.workbook_form import Layout, filled, values_of
from reduction.reports.workbook_read import read_form
from reduction.reports.xlsx import Value

WANTED = NORTH_AMERICA

CELLS = EVENT_CELLS | {
    "timing": "C22",
    "method": "O22",
    "visible": "AA22",
    "device": "E23",
    "software": "O23",
    "detector": "E25",
    "format": "L25",
    "integration": "P25",
    "integration_unit": "S25",
    "corrected": "O26",
    "correction": "P26",
    "clouds": "H27",
    "stability": "P27",
    "conditions": "X27",
    "started_h": "F31",
    "started_m": "H31",
    "started_s": "J31",
    "d_h": "F33",
    "d_m": "H33",
    "d_s": "J33",
    "d_error_95": "M33",
    "r_h": "F35",
    "r_m": "H35",
    "r_s": "J35",
    "r_error_95": "M35",
    "stopped_h": "F37",
    "stopped_m": "H37",
    "stopped_s": "J37",
    "missed": "W38",
    "second_star": "D40",
    "snr": "W40",
    "detector_info": "D42",
    "comment": "D43",
    "added": "D44",
}

LABELS = EVENT_LABELS | {
    "A22": "Timing",
    "L22": "Method",
    "V22": "Asteroid visible?",
    "A23": "Timing device",
    "M23": "Software",
    "A25": "Detector",
    "J25": "Video",
    "N25": "Integration",
    "K26": "Corrections applied?",
    "A27": "Clouds (as Occult lists them)",
    "N27": "Stability",
    "V27": "Other",
    "M30": "0.95",
    "A31": "Started observing, UTC h m s",
    "A33": "Disappearance",
    "I34": "Errors of D and R, s",
    "A35": "Reappearance",
    "A37": "Stopped observing",
    "S38": "Was it a miss?",
    "A40": "Second star?",
    "U40": "S/N",
    "A42": "Comments",
}

LAYOUT = Layout("Trans-Tasman form", CELLS, LABELS)


def fill(record: ObservationRecord, template: Path | None = None) -> list[Filled]:
    """One workbook per event, as `reduction.reports.iota_na.fill`, which see for what is raised."""
    require_status(record, "Trans-Tasman form", ("positive", "negative"))
    files = []
    for timing, suffix in per_event(record):
        second = timing is not None and "second star" in timing.component
        values = _with_95(values_of(record, timing), timing) | _own(record)
        values["second_star"] = "Yes" if second else None
        content, left = filled(LAYOUT, values, template)
        left_words = tuple(f"{cell} holds a formula and was left" for cell in left)
        files.append(Filled(_name(record, suffix), content, left_words))
    return files


def _with_95(values: dict[str, Value | None], timing: Timing | None) -> dict[str, Value | None]:
    """The form's one error is at 95 percent: where only a sigma is known, 1.96 of them, and said so."""
    found = dict(values)
    if timing is None:
        return found
    digits = timing_digits(timing)
    for name, edge in (("d", timing.d), ("r", timing.r)):
        if edge is not None and edge.sigma_s is not None and edge.intervals_s is None:
            found[f"{name}_error_95"] = rounded_up(edge.sigma_s * NORMAL_95, digits)
            found["added"] = f"{values.get('added') or ''} Errors are 1.96 sigma.".strip()
    return found


def _own(record: ObservationRecord) -> dict[str, Value | None]:
    """What this form alone asks."""
    visible = record.conditions.body_visible
    moved = sum(one.value_s for one in record.corrections)
    return {
        "method": "Video Recording" if record.recording.method in {"video", "dslr video"} else None,
        "visible": None if visible is None else "Yes" if visible else "No",
        "corrected": "yes" if record.corrections else None,
        "correction": round(moved, 6) if record.corrections else None,
        "missed": "yes" if record.status == "negative" else "no",
    }


def _name(record: ObservationRecord, suffix: str) -> str:
    """``YYYYMMDD_num_name_catalogue_number+Last.xlsx``; a minus for a miss."""
    before, _, last = file_stem(record).rpartition("_")
    star = f"{plain(record.star.catalogue)}_{plain(record.star.designation)}".replace("-", "_")
    sign = "+" if record.status == "positive" else "-"
    return f"{before}_{star}{sign}{last}{suffix}.xlsx"


def read(path: Path) -> ReadForm:
    """Read a filled form; raises as `reduction.reports.workbook_read.read_form`."""
    return read_form(LAYOUT, path)
