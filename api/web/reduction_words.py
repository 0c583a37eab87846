"""Words for the settings of a reduction: what pages call names of the request and options of the command."""

import re
from collections.abc import Mapping
from types import MappingProxyType

SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "member": "Recording of the archive",
        "bias": "Bias",
        "dark": "Dark",
        "flat": "Flat",
        "coordinates": "Table of positions",
        "calibration": "Calibration frames in the same archive",
        "device": "Computed on",
        "priority": "In the queue",
        "sky.target": "Target on the sky",
        "sky.epoch": "Epoch of the sky position",
        "sky.pm": "Proper motion",
        "sky.parallax": "Parallax, mas",
        "plan.target": "Target, x,y",
        "plan.frame": "Places are of frame",
        "plan.references": "References, x,y",
        "plan.guides": "Guides, x,y",
        "plan.extract": "Extraction",
        "plan.sky_estimate": "Level of the sky",
        "plan.aperture_px": "Aperture radius, px",
        "plan.sky_px.inner": "Sky annulus, inner radius, px",
        "plan.sky_px.outer": "Sky annulus, outer radius, px",
        "plan.event.search": "Look for D and R",
        "plan.event.expected_depth": "Expected depth",
        "plan.event.star_magnitude": "Magnitude of the star",
        "plan.event.body_magnitude": "Magnitude of the body",
        "plan.channel": "Colour",
        "plan.fields": "Interlaced video",
        "plan.gain_e_per_adu": "Gain, e⁻/ADU",
        "plan.read_noise_e": "Read noise, e⁻",
        "plan.gamma": "Gamma",
        "times.meaning": "The stamps name",
        "times.table": "Table of times",
        "times.date": "Date of the first frame, UTC",
        "times.start_utc": "First frame, UTC",
        "times.cadence_s": "Interval of frames, s",
        "times.camera": "Camera and mode",
        "times.clock": "Clock",
        "times.clock_offset_s": "Clock was ahead by, s",
        "times.clock_sigma_s": "Uncertainty of that, s",
        "times.acquisition_delay_s": "Delay of the acquisition, s",
        "times.acquisition_sigma_s": "Uncertainty of that delay, s",
    }
)
"""Name of a setting in a request -> what its form calls it."""
STAGES: tuple[tuple[str, str], ...] = (
    ("waits", "Bring the recording"),
    ("unpack", "Unpack the archive"),
    ("ingest", "Convert to a stack"),
    ("scan", "Look through all frames"),
    ("survey", "Find stars, choose apertures"),
    ("measure", "Follow and measure"),
)
"""Stages of a reduction in their order, and what is done in each."""
VALUES: Mapping[str, str] = MappingProxyType({"true": "yes", "false": "no"})

OPTIONS: tuple[tuple[str, str], ...] = (
    ("say --time-is start, mid or end", "state it under Times when you reduce"),
    ("option --time-is", "as stated with the reduction"),
    ("--time-is", "what the stamps name"),
    ("--times FILE.csv", "a table of times"),
    ("--times", "a table of times"),
    ("--start-utc T", "the UTC of the first frame"),
    ("--start-utc", "the UTC of the first frame"),
    ("--cadence S", "the interval of frames"),
    ("--cadence", "the interval of frames"),
    ("--date YYYY-MM-DD", "the date (YYYY-MM-DD)"),
    ("--camera NAME", "the camera and its mode"),
    ("--acquisition-delay", "the delay of the acquisition"),
    ("--gamma", "the gamma"),
    ("--bias", "bias frames"),
    ("--dark", "a dark"),
    ("--flat", "a flat"),
)
"""What a reader says of an option of the command -> the same of the portal's form; the longer ones first."""
_OPTION = re.compile("|".join(f"`?{re.escape(said)}`?" for said, _ in OPTIONS))
_SAID = dict(OPTIONS)


def stage(name: str) -> str:
    """What is done in a stage of a reduction."""
    return dict(STAGES).get(name, name)


def setting(name: str) -> str:
    """What the form calls a setting; one that it does not have by its own name, readable."""
    return SETTINGS.get(name, name.replace("plan.", "").replace("_", " ").replace(".", " "))


def setting_value(text: str) -> str:
    """A value as people say it."""
    return VALUES.get(text, text)


def in_portal(text: str) -> str:
    """A sentence of a reader without the options of the command, which the portal does not have."""
    return _OPTION.sub(lambda found: _SAID[found.group().strip("`")], text)
