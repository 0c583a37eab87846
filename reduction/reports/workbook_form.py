"""Report forms that are a sheet ``DATA`` of a workbook, filled from a record."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reduction.angles import signed_longitude
from reduction.errors import RequestError
from reduction.record import EdgeTime, ObservationRecord, Timing, clean_line
from reduction.reports.clock import MONTHS, clock, rounded_up, timing_digits
from reduction.reports.remarks import comments
from reduction.reports.xlsx import Archive, Sheet, Value, letters, open_workbook, sheet
from reduction.utc import SECOND_NS, utc_date

SHEET = "DATA"
TITLE_CELL = "G1"
TITLE = "Asteroid Occultation Report Form"
CORRECTIONS = "Corrections Calculations"
CORRECTION_CELLS = ("L45", "L47")
"""Of sheet `CORRECTIONS`: seconds that readers of the form add to D and to R."""

DEGREES = "deg.ddddd"
OTHER_DEVICE = "Other - Specify in Comments"

TELESCOPES = {
    "refractor": "Refractor",
    "newtonian": "Newtonian",
    "schmidt-cassegrain": "SCT including Cass and Mak",
    "dobsonian": "Dobsonian",
    "binoculars": "Binoculars",
    "other": "Other",
    "none": "None",
    "evscope": "eVscope",
}
CLOUDS = {
    "clear": "Clear",
    "fog": "Fog",
    "thin cloud": "Thin cloud < 2",
    "thick cloud": "Thick cloud > 2",
    "broken cloud": "Broken cloud",
    "star faint": "Star faint",
    "averted vision": "Averted vision",
}
DEVICES = ("ASTRID", "IOTA-VTI", "KIWI-OSD", "GPS-ABC", "ADVS", "Beeperbox")
DEVICE_OF = {"gps": "GPS", "ntp": "Computer NTP", "telephone": "Cellphone", "stopwatch": "Stopwatch"}


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a form has what.

    Attributes
    ----------
    title : str
        Name and version of the form, for messages.
    cells : mapping
        What stands in a cell, and the cell.
    labels : mapping
        Cell and text, for a workbook of our own.
    """

    title: str
    cells: Mapping[str, str]
    labels: Mapping[str, str]


def filled(
    layout: Layout, values: Mapping[str, Value | None], template: Path | None
) -> tuple[bytes, tuple[str, ...]]:
    """A workbook with values in the cells of a layout, and the cells of a template that were left.

    Raises
    ------
    RequestError
        The template is not the form.
    DataError
        The template cannot be followed.
    """
    stated = {
        layout.cells[name]: value
        for name, value in values.items()
        if name in layout.cells and value is not None and value != ""
    }
    if template is None:
        return _own_workbook(layout, stated), ()
    from reduction.reports.xlsx_patch import patched

    archive = open_workbook(template)
    content, left = patched(archive, checked(archive, layout, template), stated)
    return content, tuple(left)


def checked(archive: Archive, layout: Layout, path: Path) -> Sheet:
    """The form's sheet.

    Raises
    ------
    RequestError
        The workbook is not the form.
    """
    found = sheet(archive, SHEET)
    title = None if found is None else found.values.get(TITLE_CELL)
    if found is None or title != TITLE:
        seen = f"no sheet {SHEET}" if found is None else f"{TITLE_CELL} holds {str(title)[:60]!r}"
        raise RequestError(f"{path}: not the {layout.title}: {seen}; it would hold {TITLE!r}")
    return found


def _own_workbook(layout: Layout, values: Mapping[str, Value]) -> bytes:
    from openpyxl import Workbook
    from openpyxl.styles import Alignment, Font, PatternFill

    book = Workbook()
    page = book.active
    page.title = SHEET
    page[TITLE_CELL] = TITLE
    page[TITLE_CELL].font = Font(bold=True, size=14)
    for cell, label in layout.labels.items():
        page[cell] = label
        page[cell].font = Font(size=9, color="555555")
        page[cell].alignment = Alignment(vertical="center")
    entry = PatternFill("solid", fgColor="FFF7D6")
    for cell in layout.cells.values():
        page[cell].fill = entry
        page[cell].alignment = Alignment(horizontal="left")
    for cell, value in values.items():
        page[cell].value = value
        if isinstance(value, str):
            page[cell].data_type = "s"  # never a formula, whatever it begins with
            page[cell].quotePrefix = value.startswith(("=", "+", "-", "@"))
    calculations = book.create_sheet(CORRECTIONS)
    calculations["A1"] = "Seconds still to be added to D and to R: none, the times contain their corrections"
    for cell in CORRECTION_CELLS:
        calculations[cell] = 0
    for number in range(1, 33):
        page.column_dimensions[letters(number)].width = 8
    packed = io.BytesIO()
    book.save(packed)
    return packed.getvalue()


def values_of(record: ObservationRecord, timing: Timing | None) -> dict[str, Value | None]:
    """What a record says, by the names that layouts share; a layout takes those that it has cells for."""
    return {
        **_event(record),
        **_person(record),
        **_place(record),
        **_equipment(record),
        **_times(record, timing),
        "snr": None if record.snr is None else round(record.snr, 2),
        "software": record.reduction_software,
    }


def _event(record: ObservationRecord) -> dict[str, Value | None]:
    predicted = record.prediction.utc
    moment = None if predicted is None else clock(predicted, 0)
    # the form has one date, beside the predicted time: it is that time's
    day = record.event_date if predicted is None else utc_date(predicted + SECOND_NS // 2)
    number = record.asteroid.number
    return {
        "status": record.status.capitalize(),
        "year": None if day is None else day.year,
        "month": None if day is None else MONTHS[day.month - 1],
        "day": None if day is None else day.day,
        "predicted_h": None if moment is None else moment.hour,
        "predicted_m": None if moment is None else moment.minute,
        "predicted_s": None if moment is None else int(moment.second),
        "number": int(number) if number.isascii() and number.isdigit() and len(number) < 12 else number,
        "name": record.asteroid.name,
        "catalogue": record.star.catalogue,
        "star": record.star.designation,
    }


def _person(record: ObservationRecord) -> dict[str, Value | None]:
    if not record.observers:
        return {}
    first = record.observers[0]
    return {
        "observer": ", ".join(one.name for one in record.observers),
        "e_mail": first.e_mail,
        "address": first.address,
        "phone": first.phone,
        "city": ", ".join(part for part in (first.city, first.state, first.country) if part),
    }


def _place(record: ObservationRecord) -> dict[str, Value | None]:
    site = record.site
    if site is None:
        return {}
    longitude, high = signed_longitude(site.longitude_deg), "altitude_m" in site.model_fields_set
    return {
        "location": clean_line(site.name),
        "latitude_format": DEGREES,
        "longitude_format": DEGREES,
        "latitude": f"{abs(site.latitude_deg):.5f}",
        "north_south": "S" if site.latitude_deg < 0 else "N",
        "longitude": f"{abs(longitude):.5f}",
        "east_west": "W" if longitude < 0 else "E",
        "elevation": round(site.altitude_m, 1) if high else None,
        "elevation_unit": "m" if high else None,
        "datum": "WGS84",
    }


def _equipment(record: ObservationRecord) -> dict[str, Value | None]:
    telescope, recording, sky = record.telescope, record.recording, record.conditions
    ratio = telescope.ratio
    return {
        "aperture": telescope.aperture_cm,
        "aperture_unit": None if telescope.aperture_cm is None else "cm",
        "ratio": None if ratio is None else round(ratio, 2),
        "telescope": None if telescope.type is None else TELESCOPES[telescope.type],
        "timing": _timing(record),
        "device": _device(record),
        "detector": recording.camera or recording.detector,
        "format": recording.video_format,
        "exposure": None if recording.exposure_s is None else "Other",
        "integration": recording.exposure_s,
        "integration_unit": None if recording.exposure_s is None else "Seconds",
        "detector_info": _detector_info(record),
        "clouds": None if sky.transparency is None else CLOUDS[sky.transparency],
        "stability": None if sky.stability is None else sky.stability.capitalize(),
        "conditions": "; ".join(
            part
            for part in (
                sky.clouds and f"clouds {sky.clouds}",
                sky.wind and f"wind {sky.wind}",
                "" if sky.temperature_c is None else f"{sky.temperature_c:g} C",
            )
            if part
        ),
    }


def _timing(record: ObservationRecord) -> str | None:
    """Words of the form's list for how time was had; device and recorder have a cell of their own."""
    source, device = record.recording.time_source, record.recording.timing_device.upper()
    if source == "gps":
        return (
            "IOTA-VTI"
            if "IOTA-VTI" in device
            else "GPS - KIWI"
            if "KIWI" in device
            else "GPS - other linking"
        )
    return None if source is None else "Other"


def _device(record: ObservationRecord) -> str | None:
    device, source = record.recording.timing_device, record.recording.time_source
    known = next((name for name in DEVICES if name.lower() in device.lower()), None)
    if known is not None or source is None:
        return known or device or None
    return DEVICE_OF.get(source, OTHER_DEVICE)


def _detector_info(record: ObservationRecord) -> str:
    recording = record.recording
    parts = (
        "" if recording.exposure_s is None else f"exposure {recording.exposure_s:.10g} s",
        "" if recording.integrated_frames is None else f"{recording.integrated_frames} frames integrated",
        recording.filter and f"filter {recording.filter}",
        recording.timing_device and f"times by {recording.timing_device}",
    )
    return ", ".join(part for part in parts if part)


def _times(record: ObservationRecord, timing: Timing | None) -> dict[str, Value | None]:
    found: dict[str, Value | None] = {}
    for name, ns in (("started", record.recording.started), ("stopped", record.recording.stopped)):
        if ns is not None:
            found |= _clock_values(name, ns, 2)
    if timing is not None:
        digits = timing_digits(timing)
        for name, edge in (("d", timing.d), ("r", timing.r)):
            if edge is not None:
                found |= _clock_values(name, edge.utc, digits) | _errors(name, edge, digits)
    own, _, added = comments(record, timing, "").partition("[Umbra: ")
    found["comment"] = own.strip()
    found["added"] = f"[Umbra: {added}" if added else None
    return found


def _clock_values(name: str, ns: int, digits: int) -> dict[str, Value | None]:
    moment = clock(ns, digits)
    return {f"{name}_h": moment.hour, f"{name}_m": moment.minute, f"{name}_s": moment.second}


def _errors(name: str, edge: EdgeTime, digits: int) -> dict[str, Value | None]:
    """Errors at the form's three levels, rounded up; one that nobody stated stays empty."""
    found: dict[str, Value | None] = {}
    for level, words in enumerate(("68", "95", "99")):
        error = edge.error_s(level)
        if error is not None:
            found[f"{name}_error_{words}"] = rounded_up(error, digits)
    return found
