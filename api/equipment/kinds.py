"""What is kept of each kind of equipment: a closed model each, told apart by `kind`."""

from typing import Annotated, Literal

from pydantic import Field

from api.words import Name, Words
from reduction.plan import Settings
from reduction.record import TelescopeType, TimeSource

Kind = Literal["telescope", "camera", "recorder", "filter"]

Count = Annotated[int, Field(ge=1, le=1_000_000)]


class Telescope(Settings):
    """The optics.

    Attributes
    ----------
    aperture_mm, focal_length_mm : float or None
        Clear aperture, and focal length without reducers.
    """

    kind: Literal["telescope"]
    name: Name
    design: TelescopeType | None = None
    aperture_mm: Annotated[float, Field(gt=0, le=50_000)] | None = None
    focal_length_mm: Annotated[float, Field(gt=0, le=500_000)] | None = None
    mount: Words = ""


class Camera(Settings):
    """The detector.

    Attributes
    ----------
    pixel_um : float or None
        Pitch of its pixels, unbinned.
    width_px, height_px, bits : int or None
        Size of a full frame, and bits of its converter.
    shutter : str or None
        ``rolling``: rows are exposed one after the other, which shifts times.
    dead_time_ms : float or None
        Between exposures.
    """

    kind: Literal["camera"]
    name: Name
    sensor: Words = ""
    pixel_um: Annotated[float, Field(gt=0, le=1000)] | None = None
    width_px: Count | None = None
    height_px: Count | None = None
    bits: Annotated[int, Field(ge=1, le=64)] | None = None
    shutter: Literal["global", "rolling", "mechanical", "frame transfer"] | None = None
    dead_time_ms: Annotated[float, Field(ge=0, le=3_600_000)] | None = None


class Recorder(Settings):
    """What gives the times: inserter, GPS of the camera, clock of the computer.

    Attributes
    ----------
    sigma_ms : float or None
        1-sigma of its times.
    """

    kind: Literal["recorder"]
    name: Name
    time_source: TimeSource
    software: Words = ""
    sigma_ms: Annotated[float, Field(ge=0, le=3_600_000)] | None = None


class Filter(Settings):
    """A filter; without one there is none to register."""

    kind: Literal["filter"]
    name: Name
    centre_nm: Annotated[float, Field(gt=0, le=100_000)] | None = None
    width_nm: Annotated[float, Field(gt=0, le=100_000)] | None = None


AnyEquipment = Annotated[Telescope | Camera | Recorder | Filter, Field(discriminator="kind")]
