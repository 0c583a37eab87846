"""Who is in the world of the portal's tests: people, what they own, and where they stood."""

from dataclasses import dataclass, field
from typing import Any

from api.words import orcid_check
from tests.api.campaign.truth import Place

PASSWORD = "a good long sentence"


@dataclass(frozen=True, eq=False)
class Member:
    """Somebody with an account.

    Attributes
    ----------
    key : str
        By which tests call them; the local part of their address.
    """

    key: str
    name: str
    affiliation: str = ""
    orcid: str | None = None
    level: str = "observer"
    place: Place | None = None
    equipment: tuple[dict[str, Any], ...] = field(default=())

    @property
    def email(self) -> str:
        return f"{self.key}@example.org"


def orcid(number: int) -> str:
    """An ORCID iD whose check digit is right, outside of the ranges that are given to people."""
    bare = f"9999{number:011d}"
    whole = bare + orcid_check(bare)
    return "-".join(whole[k : k + 4] for k in range(0, 16, 4))


def _telescope(name: str, design: str, aperture: float, focal: float) -> dict[str, Any]:
    return {
        "kind": "telescope", "name": name, "design": design, "aperture_mm": aperture,
        "focal_length_mm": focal, "mount": "equatorial",
    }  # fmt: skip


def _camera(name: str, sensor: str, shutter: str, bits: int) -> dict[str, Any]:
    return {
        "kind": "camera", "name": name, "sensor": sensor, "pixel_um": 5.86, "width_px": 1936,
        "height_px": 1216, "bits": bits, "shutter": shutter, "dead_time_ms": 0.02,
    }  # fmt: skip


def _recorder(name: str, source: str, sigma: float) -> dict[str, Any]:
    return {
        "kind": "recorder", "name": name, "time_source": source, "software": "SharpCap 4.1",
        "sigma_ms": sigma,
    }  # fmt: skip


GPS = _recorder("GPS flash box", "gps", 0.1)
NTP = _recorder("Laptop clock, NTP", "ntp", 12.0)
C11 = _telescope("Celestron C11", "schmidt-cassegrain", 280, 2800)
DOB = _telescope("12 inch Dobsonian", "dobsonian", 305, 1500)
REFRACTOR = _telescope("Refractor 130/910", "refractor", 130, 910)
NEWTON = _telescope("Newtonian 200/1000", "newtonian", 200, 1000)
MONO = _camera("ASI174MM", "IMX174", "global", 12)
VIDEO = _camera("Watec 910HX", "ICX429", "frame transfer", 8)
ADV = _camera("QHY174M-GPS", "IMX174", "global", 16)
CLEAR = {"kind": "filter", "name": "Clear", "centre_nm": 550.0, "width_nm": 400.0}

SUPERUSER = Member("superuser", "Ines Åkerblom", "Umbra server, Lund", level="superuser")
STAFF = Member("staff", "Marta Vilà i Puig", "Institut d'Astronomia", orcid(1001), "staff")
RESPONSIBLE = Member("responsible", "Özge Yıldırım", "National Observatory", orcid(1002))
ADA = Member(
    "ada", "Ada North", "Hilltop Observatory", orcid(1003),
    place=Place("Ada North", "Hilltop Observatory", "ser", 20.8561, -30.7517, 120.0),
    equipment=(C11, MONO, GPS, CLEAR),
)  # fmt: skip
BEN = Member(
    "ben", "Bénédicte Ñáñez-Łukasiewicz", "Société astronomique de la Vallée", orcid(1004),
    place=Place("Ben Upper", "", "fits", 20.9125, -30.7917, 15.0),
    equipment=(NEWTON, MONO, GPS),
)  # fmt: skip
CLEO = Member(
    "cleo", "Cleo Middle", "Club of the Valley",
    place=Place("Cleo Middle", "Club of the Valley", "avi", 20.9708, -30.8332, 640.0),
    equipment=(DOB, VIDEO, GPS),
)  # fmt: skip
DOV = Member(
    "dov", "Đặng Thị Hương", "", orcid(1005),
    place=Place("Dov Lower", "", "adv", 21.0488, -30.8885, 30.0),
    equipment=(C11, ADV, GPS),
)  # fmt: skip
EVA = Member(
    "eva", "<script>alert('Eva')</script> & \"Söhne\"", "Southern <b>Station</b>",
    place=Place("Eva South", "Southern Station", "miss", 21.2908, -31.0597, 88.0),
    equipment=(REFRACTOR, MONO, NTP),
)  # fmt: skip
FINN = Member(
    "finn", "Finn Ó Súilleabháin", "Cork Astronomy Club",
    place=Place("Finn Cloud", "", "none", 20.79, -30.70, 310.0),
    equipment=(NEWTON, VIDEO, NTP),
)  # fmt: skip
GUS = Member(
    "gus", "Γιώργος Παπαδόπουλος", "University station with a name that is rather longer than its column",
    place=Place("Gus Fault", "", "cut", 21.15, -30.96, 45.0),
    equipment=(DOB, MONO, GPS),
)  # fmt: skip
NEWCOMER = Member("newcomer", "Nils Newcomer")

OBSERVERS = (ADA, BEN, CLEO, DOV, EVA, FINN, GUS)
EVERYONE = (SUPERUSER, STAFF, RESPONSIBLE, *OBSERVERS, NEWCOMER)
