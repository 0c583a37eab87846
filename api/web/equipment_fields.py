"""The fields of each kind of equipment, as forms ask for them and lists tell them."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, get_args

from api.equipment.kinds import AnyEquipment, Camera, Filter, Kind, Recorder, Telescope
from reduction.record import TelescopeType, TimeSource

MODELS: Mapping[Kind, type[Telescope | Camera | Recorder | Filter]] = MappingProxyType(
    {"telescope": Telescope, "camera": Camera, "recorder": Recorder, "filter": Filter}
)
TITLES: Mapping[Kind, tuple[str, str]] = MappingProxyType(
    {
        "telescope": ("Telescopes", "telescope"),
        "camera": ("Cameras", "camera"),
        "recorder": ("Time recorders", "time recorder"),
        "filter": ("Filters", "filter"),
    }
)
"""Several, one."""
ABOUT: Mapping[Kind, str] = MappingProxyType(
    {
        "telescope": "The optics, as in the report.",
        "camera": "The detector. A rolling shutter shifts the times of rows: say so if you know.",
        "recorder": "What gives the times: an inserter, the GPS of the camera, the clock of the computer.",
        "filter": "Only if you use one; without a filter there is nothing to register.",
    }
)


WORDS: Mapping[str, str] = MappingProxyType(
    {
        "newtonian": "Newtonian",
        "schmidt-cassegrain": "Schmidt-Cassegrain",
        "dobsonian": "Dobsonian",
        "evscope": "eVscope",
        "gps": "GPS",
        "ntp": "network time (NTP)",
        "radio": "radio time signal",
    }
)
"""Choice -> how it is written; the others as they are."""


def word(choice: str) -> str:
    """How a choice is written."""
    return WORDS.get(choice, choice)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a form.

    Attributes
    ----------
    options : tuple of str
        Of a choice; empty: it is typed.
    number : bool
        A number, in `unit`.
    """

    name: str
    label: str
    unit: str = ""
    hint: str = ""
    options: tuple[str, ...] = ()
    number: bool = False
    required: bool = False

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Values and labels of a choice."""
        return [
            ("", "– choose –" if self.required else "not stated"),
            *((one, word(one)) for one in self.options),
        ]


def _number(name: str, label: str, unit: str = "", hint: str = "") -> Field:
    return Field(name, label, unit, hint, number=True)


def _name(hint: str) -> Field:
    return Field("name", "Name", hint=hint, required=True)


FIELDS: Mapping[Kind, tuple[Field, ...]] = MappingProxyType(
    {
        "telescope": (
            _name("As you call it, such as C11 or 50 cm Newtonian."),
            Field("design", "Design", options=get_args(TelescopeType)),
            _number("aperture_mm", "Aperture", "mm"),
            _number("focal_length_mm", "Focal length", "mm", "Without reducers."),
            Field("mount", "Mount"),
        ),
        "camera": (
            _name("Maker and model, such as QHY174M-GPS."),
            Field("sensor", "Sensor"),
            _number("pixel_um", "Pixel", "µm", "Unbinned."),
            _number("width_px", "Width", "px"),
            _number("height_px", "Height", "px"),
            _number("bits", "Bits", "", "Of its converter."),
            Field("shutter", "Shutter", options=("global", "rolling", "mechanical", "frame transfer")),
            _number("dead_time_ms", "Dead time", "ms", "Between two exposures."),
        ),
        "recorder": (
            _name("Such as GPS of the camera, or IOTA-VTI v3."),
            Field("time_source", "Where its time comes from", options=get_args(TimeSource), required=True),
            Field("software", "Software"),
            _number("sigma_ms", "Uncertainty (1 sigma)", "ms", "Of its times, if you know it."),
        ),
        "filter": (
            _name("Such as Sloan r, or IR-pass 685."),
            _number("centre_nm", "Centre", "nm"),
            _number("width_nm", "Width", "nm"),
        ),
    }
)
NUMBERS = tuple(sorted({one.name for fields in FIELDS.values() for one in fields if one.number}))


def values_of(equipment: AnyEquipment) -> dict[str, str]:
    """What a form shows of a piece of equipment."""
    held = equipment.model_dump(exclude_none=True)
    return {name: _text(value) for name, value in held.items()}


def told_of(equipment: AnyEquipment) -> list[tuple[str, str]]:
    """Label and value of all that is known besides the name."""
    values = values_of(equipment)
    return [
        (one.label, f"{word(values[one.name]) if one.options else values[one.name]} {one.unit}".strip())
        for one in FIELDS[equipment.kind]
        if one.name != "name" and values.get(one.name)
    ]


def _text(value: Any) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)
