"""Kinds of cameras, told from what observers register: the sensor, else maker and model."""

import re
from typing import Literal, get_args

Sensor = Literal["CMOS", "CCD", "CCD video", "unknown"]
SENSORS: tuple[Sensor, ...] = get_args(Sensor)

_BY_SENSOR: tuple[tuple[Sensor, str], ...] = (
    ("CMOS", r"cmos|\bimx ?\d|gsense|\bpython ?\d|\bmt9[a-z]|\bar0\d{3}|\bcmv\d"),
    ("CCD", r"ccd|\bicx ?\d|\bka[fi]\b|\bka[fi]-|\bka[fi]\d|\be2v\b|\btc2\d\d"),
)
_BY_NAME: tuple[tuple[Sensor, str], ...] = (
    ("CCD video", r"\bwat(ec)?\b|\bwat-?\d|\b910 ?hx\b|\b120n|\bmintron|\bpc ?164|supercircuits|\bgstar"),
    ("CMOS", r"cmos|\bzwo\b|\basi ?\d|runcam|\bdvti|\bastrid\b|player ?one|seestar|\bdwarf|evscope"),
    ("CMOS", r"\b(canon|nikon|sony|fuji|pentax)\b|\beos\b|\bzyla|\bmarana|\bsona\b|\bkepler\b|\bprime ?95"),
    ("CMOS", r"\bneptune-|\bmars-[cm]|\buranus-c|\bapollo-|\bposeidon|\bzeus 455|\btouptek|\baltacam"),
    ("CMOS", r"\bqhy ?(5|42|128|163|174|178|183|20\d\d|22\d|24\d|26\d|29\d|367|4\d\d|6\d\d)"),
    ("CCD", r"ccd|\bqhy ?\d|\bsbig\b|\bst[lxf]?-?\d|\bandor\b|\bixon|\bikon|\bfli\b|proline|microline"),
    ("CCD", r"apogee|\balta\b|\batik\b|starlight|lodestar|superstar|ultrastar|trius|\bmerlin\b|princeton"),
    ("CCD", r"pixis|proem|spectral instruments|\bsi ?\d{3,4}\b|\bfinger lakes|\bdmk ?(21|31|41)"),
)
"""The first that fits. Watec's are analogue video cameras with a CCD; QHY, Andor and FLI made both kinds."""


def sensor_of(name: str, sensor: str) -> Sensor:
    """Return the kind of a camera.

    Parameters
    ----------
    name : str
        Maker and model.
    sensor : str
        As its owner states it: ``CMOS``, ``IMX174``, ``ICX429``; goes before the name.
    """
    told, model = sensor.casefold(), name.casefold()
    stated = next((kind for kind, pattern in _BY_SENSOR if re.search(pattern, told)), None)
    named = next((kind for kind, pattern in _BY_NAME if re.search(pattern, model)), None)
    if stated == "CCD" and named == "CCD video":
        return named
    return stated or named or "unknown"
