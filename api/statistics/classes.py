"""Dynamical classes of occulting bodies: as who predicted an event states it, else by the orbit."""

import re
from typing import Literal, get_args

Class = Literal[
    "near-Earth",
    "Mars-crosser",
    "main belt",
    "Jupiter Trojan",
    "Centaur",
    "trans-Neptunian",
    "comet",
    "satellite",
    "planet",
    "unknown",
]
CLASSES: tuple[Class, ...] = get_args(Class)

_STATED: tuple[tuple[Class, str], ...] = (
    ("satellite", r"\bsat(ellite)?s?\b|\bmoons?\b"),
    ("comet", r"\bcomets?\b|\b(jfc|htc|etc|ctc|ioc)\b|\boort\b"),
    ("Centaur", r"\bcen(taurs?)?\b"),
    (
        "trans-Neptunian",
        r"\b(tnos?|kbos?|sdos?)\b|neptun|kuiper|plutino|cubewano|scattered|detached|sednoid|plutoid",
    ),
    ("Jupiter Trojan", r"\btjn\b|(?<!mars )\btrojans?\b"),
    (
        "near-Earth",
        r"\b(neas?|neos?|phas?|phos?|ieo|ate|apo|amo)\b|near.earth|\b(apollo|aten|amor|atira)s?\b",
    ),
    ("Mars-crosser", r"\b(mca|mc)\b|mars.?cross"),
    ("main belt", r"\b(mb|mbas?|imb|omb)\b|main.?belt|\b(hilda|hungaria|cybele|phocaea)s?\b"),
    ("planet", r"^(major )?planets?$"),
)
"""Words of the field, of SkyBoT (``KBO>Resonant>3:2``) and of JPL (``TJN``); the first that fits."""
_COMET = re.compile(r"^(\d{1,4}[PD]|[CPD]/\d{4})\b")


def class_of(
    stated: str,
    designation: str = "",
    semimajor_au: float | None = None,
    eccentricity: float | None = None,
    perihelion_au: float | None = None,
) -> Class:
    """Return the class of a body.

    Parameters
    ----------
    stated : str
        By who predicted the event; goes before the orbit, which knows nothing of resonances.
    designation : str
        Number or name: ``29P`` and ``C/2014 UN271`` are comets.
    semimajor_au, eccentricity, perihelion_au : float or None
        Osculating, heliocentric.
    """
    words = " ".join(stated.casefold().replace("_", " ").split())
    for name, pattern in _STATED:
        if re.search(pattern, words):
            return name
    if _COMET.match(designation):
        return "comet"
    return by_orbit(semimajor_au, eccentricity, perihelion_au)


def by_orbit(a: float | None, e: float | None, q: float | None) -> Class:
    """Return the class of an asteroid by its orbit, as JPL's Small-Body Database has the limits.

    Atiras, Atens, Apollos and Amors are one class here (q < 1.3 au), and so are the inner, middle and outer
    main belt. What is as far as Jupiter with e of 0.3 or more, and what has no ellipse, is not known. Source:
    the table of orbit classes of https://ssd-api.jpl.nasa.gov/doc/sbdb_filter.html.

    Parameters
    ----------
    a, e, q : float or None
        Semimajor axis, au; eccentricity; distance of the perihelion, au, where it is not a (1 - e).
    """
    if a is None or a <= 0 or (e is None and q is None):
        return "unknown"
    near = q if q is not None and q > 0 else a * (1 - (e or 0.0))
    round_e = e if e is not None else 1 - near / a
    if not 0 <= round_e < 1:
        return "unknown"
    table: tuple[tuple[bool, Class], ...] = (
        (near < 1.3, "near-Earth"),
        (a < 3.2 and near < 1.666, "Mars-crosser"),
        (a < 4.6, "main belt"),
        (a < 5.5, "Jupiter Trojan" if round_e < 0.3 else "unknown"),
        (a < 30.1, "Centaur"),
    )
    return next((name for fits, name in table if fits), "trans-Neptunian")
