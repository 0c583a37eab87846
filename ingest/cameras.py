"""Internal delays of integrating analogue cameras, and between which instants each figure leads.

A video time inserter writes the time of a VSYNC into the fields that leave the camera. An integrating camera
sends a picture some time after it was exposed, and then repeats it until the next is ready. The figures below
lead **from the inserted time of the first field that shows a picture to the middle of that picture's
exposure**, all frames of the integration together. They are not counted from the start of a bin, nor from the
middle of the repeats: that confusion costs half an integration (T. George, "Analysis of camera delay
corrections for use in R-OTE and Occular", 2014 and 2018).

How that was found. The figures are G. Dangl's measurements ("Video exposure time analysis from recordings
with video time insertion", 2013; his condition: the inserter stamps a field on the camera's output with the
VSYNC pulses before it, within a millisecond) as they stand in the table of Tangra 3.7.5
(InstrumentalDelayConfigManager). Tangra adds them to the time of the *end of the first field* of the
integrated frame, as inserted (LCFile, GetInstrumentalDelayAtFrame: frame time, minus half the integration
less one field, plus the negative figure), and calls the sum the frame's mid-exposure. The figures bear it
out: within rounding each is half the integration plus a whole or half number of fields that depends on the
camera alone (`lag_fields`): the WAT-910HX 1, the WAT-120N 1.5, the SCB-2000N 2, the Mintron 0. Of cameras
that do not integrate the figure is 0 (-1 field beside half a frame): the VSYNC that ends the first field's
exposure is the middle of the frame's. H. Pavlov measured the WAT-910BD against SEXTA and found the
WAT-910HX's figures ("Determining the instrumental delays of WAT-910BD (CCIR)", 2013).

Left out: two entries of the Mintron's table (6 and 48 frames), one or two fields beside the law that all
its others follow. Cameras without a published measurement are not here.
"""

import re
from dataclasses import dataclass
from typing import Literal

from reduction.errors import RequestError

Standard = Literal["PAL", "NTSC"]
FRAME_S: dict[Standard, float] = {"PAL": 0.04, "NTSC": 1001 / 30000}
INSERTER_SIGMA_S = 1e-3
"""Dangl's condition: inserted times are within a millisecond; his figures are rounded to the same."""
DISPLAY_SIGMA_S = 2e-3
"""SEXTA's display, by which the WAT-910BD was measured (20 ms from 64 frames on)."""
COARSE_DISPLAY_SIGMA_S = 20e-3
COARSE_FROM = 64


@dataclass(frozen=True, slots=True)
class Table:
    """One camera.

    Attributes
    ----------
    name : str
    lag_fields : float
        Fields by which a figure exceeds half the integration.
    delays_s : mapping
        By video standard, seconds by the number of integrated frames.
    display : bool
        Measured against a display of coarser resolution.
    """

    name: str
    lag_fields: float
    delays_s: dict[Standard, dict[int, float]]
    display: bool = False


@dataclass(frozen=True, slots=True)
class CameraDelay:
    """A camera in one of its modes.

    Attributes
    ----------
    name : str
        Camera, standard and mode: ``WAT-910HX PAL x8``.
    standard : Standard
    frames : int
        Integrated video frames, 1 for none.
    delay_s : float
        From mid-exposure to the inserted time of the first field that shows the picture; not negative.
    sigma_s : float
    """

    name: str
    standard: Standard
    frames: int
    delay_s: float
    sigma_s: float

    @property
    def exposure_s(self) -> float:
        """Length of the integration, seconds."""
        return self.frames * FRAME_S[self.standard]

    @property
    def source(self) -> str:
        """What the figure rests on, for the ledger."""
        return (
            f"--camera {self.name}: G. Dangl's measurements (table of Tangra 3.7.5), from the inserted "
            "time of the first field that shows the picture to the middle of its exposure"
        )


def _by_frames(frames: str, seconds: str) -> dict[int, float]:
    pairs = zip(frames.split(), seconds.split(), strict=True)
    return {int(count): float(delay) for count, delay in pairs}


_WAT910: dict[Standard, dict[int, float]] = {
    "PAL": _by_frames("1 2 4 8 16 32 64 127", ".040 .060 .100 .180 .340 .660 1.300 2.560"),
    "NTSC": _by_frames("1 2 4 8 16 32 64 127", ".033 .050 .083 .150 .284 .551 1.084 2.135"),
}
_WAT120: dict[Standard, dict[int, float]] = {
    "PAL": _by_frames("1 2 4 8 16 32 64 128 256", ".050 .070 .110 .190 .350 .670 1.310 2.590 5.150"),
    "NTSC": _by_frames("1 2 4 8 16 32 64 128 256", ".042 .058 .092 .159 .292 .559 1.093 2.161 4.296"),
}
_NONE: dict[Standard, dict[int, float]] = {"PAL": {1: 0.0}, "NTSC": {1: 0.0}}
TABLES: tuple[Table, ...] = (
    Table("WAT-910HX", 1.0, _WAT910),
    Table("WAT-910BD", 1.0, _WAT910, display=True),
    Table("WAT-120N", 1.5, _WAT120),
    Table("WAT-120N+", 1.5, _WAT120),
    Table(
        "Mintron-12V1C-EX",
        0.0,
        {
            "PAL": _by_frames(
                "1 2 3 4 8 12 16 24 32 64", ".020 .040 .060 .080 .160 .240 .320 .480 .640 1.280"
            ),
            "NTSC": _by_frames(
                "1 2 3 4 8 12 16 24 32 64", ".017 .033 .050 .067 .134 .200 .267 .400 .534 1.068"
            ),
        },
    ),
    Table(
        "PC165DNR",
        1.0,
        {"NTSC": _by_frames("1 2 4 8 16 32 64 128", ".033 .050 .083 .150 .284 .551 1.084 2.152")},
    ),
    Table(
        "SCB-2000N",
        2.0,
        {
            "NTSC": _by_frames(
                "1 2 3 4 5 6 7 8 12 16 32 64 128 256",
                ".050 .067 .083 .100 .117 .134 .150 .167 .234 .300 .567 1.101 2.169 4.304",
            )
        },
    ),
    Table("WAT-902H2", -1.0, _NONE),
    Table("PC164C-EX2", -1.0, {"NTSC": {1: 0.0}}),
    Table("SK-1004XC", -1.0, {"PAL": {1: 0.0}}),
)


def camera_delay(text: str) -> CameraDelay:
    """Delay of a camera in the mode that `text` names, e.g. ``WAT-910HX-PAL-x8``.

    Case, blanks and hyphens do not matter; CCIR is PAL, EIA is NTSC.

    Raises
    ------
    RequestError
        No such camera, standard or mode; the message lists those that there are.
    """
    squeezed = re.sub(r"[\s_()-]", "", text).upper().replace("CCIR", "PAL").replace("EIA", "NTSC")
    for table in sorted(TABLES, key=lambda one: -len(one.name)):
        own = table.name.upper().replace("-", "")
        if squeezed.startswith(own):
            return _mode(text, table, squeezed.removeprefix(own))
    names = ", ".join(table.name for table in TABLES)
    raise RequestError(
        f"--camera {text}: no table of delays; there are: {names}, each as in WAT-910HX-PAL-x8. For another "
        "camera give its measured delay by --acquisition-delay"
    )


def _mode(text: str, table: Table, rest: str) -> CameraDelay:
    """Mode of one camera: the standard where there are two, and the number of integrated frames."""
    match = re.fullmatch(r"(PAL|NTSC)?(?:X?(\d{1,3}))?", rest)
    standards = list(table.delays_s)
    named = match.group(1) if match else None
    if match is None or (named is None and len(standards) > 1) or (named or standards[0]) not in standards:
        raise RequestError(f"--camera {text}: say {' or '.join(f'{table.name}-{s}' for s in standards)}")
    standard: Standard = "NTSC" if (named or standards[0]) == "NTSC" else "PAL"
    delays = table.delays_s[standard]
    frames = int(match.group(2)) if match.group(2) else None
    if frames is None and len(delays) == 1:
        frames = next(iter(delays))
    if frames is None or frames not in delays:
        modes = ", ".join(f"x{count}" for count in delays)
        raise RequestError(
            f"--camera {text}: say how many video frames it integrates, as in {table.name}-{standard}-x"
            f"{max(count for count in delays if count <= 8)}; measured are {modes}"
        )
    sigma = INSERTER_SIGMA_S
    if table.display:
        sigma = COARSE_DISPLAY_SIGMA_S if frames >= COARSE_FROM else DISPLAY_SIGMA_S
    return CameraDelay(f"{table.name} {standard} x{frames}", standard, frames, delays[frames], sigma)
