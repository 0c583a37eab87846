"""What is told of fits."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from api.fits.tables import DONE, Fit
from api.results.views import PREFIX
from reduction.plan import Settings

State = Literal["queued", "running", "done", "failed"]


class LimbView(Settings):
    """The limb that was found: `umbra chords` tells the same.

    Attributes
    ----------
    sentence : str
        In a line.
    chords, stations : int
        How many of the fit's stations have times of an event.
    fit : dict
        Model, figures with intervals, other solutions, of all times as given.
    fit_with_named_stations_free : dict or None
        With the times of shifted stations left free; null where there are none.
    named : tuple of dict
        Stations whose times are shifted, and the likeliest causes.
    notes : tuple of dict
        Caveats.
    """

    sentence: str
    chords: int
    stations: int
    fit: dict[str, Any]
    fit_with_named_stations_free: dict[str, Any] | None
    named: tuple[dict[str, Any], ...]
    notes: tuple[dict[str, Any], ...]


class FitView(Settings):
    """A version of a campaign's limb; once it is done it never changes.

    Attributes
    ----------
    key : str
        Digest of all that decides the numbers; the same inputs have the same.
    edition : str
        Which Umbra fitted it.
    error : str or None
        Why there is no limb.
    sentence : str or None
        The limb in a line.
    """

    id: str
    campaign: str
    version: int
    state: State
    key: str
    edition: str
    error: str | None
    sentence: str | None
    created: datetime
    finished: datetime | None
    links: dict[str, str]


class FitDetail(FitView):
    """A version with its limb, and, for the team, what it was made from and its files.

    Attributes
    ----------
    request : dict or None
        As it was asked for.
    made_from : tuple of dict or None
        Of every station: result, version, recording's SHA-256, or why nothing was used.
    """

    limb: LimbView | None
    request: dict[str, Any] | None
    made_from: tuple[dict[str, Any], ...] | None
    files: tuple[str, ...] | None


def fields_of(row: Fit) -> dict[str, Any]:
    """What is told of a fit in lists."""
    here = f"{PREFIX}/campaigns/{row.campaign}/fits/{row.version}"
    links = {"self": here}
    if row.state == DONE:
        links |= {"png": f"{here}/limb.png", "svg": f"{here}/limb.svg", "files": f"{here}/files/"}
    return {
        "id": row.id,
        "campaign": row.campaign,
        "version": row.version,
        "state": row.state,
        "key": row.key,
        "edition": row.edition,
        "error": row.outcome.get("message"),
        "sentence": row.outcome.get("sentence"),
        "created": row.created,
        "finished": row.finished,
        "links": links,
    }


def fit_view(row: Fit) -> FitView:
    """A fit as lists show it."""
    return FitView(**fields_of(row))


def fit_detail(row: Fit, exact: bool, files: tuple[str, ...]) -> FitDetail:
    """All that is told of a fit; what tells of places only where they may be known."""
    return FitDetail(
        **fields_of(row),
        limb=_limb(row.outcome) if row.state == DONE else None,
        request=row.request if exact else None,
        made_from=tuple(row.inputs.get("stations", ())) if exact else None,
        files=files if exact else None,
    )


def _limb(outcome: Mapping[str, Any]) -> LimbView:
    return LimbView(**{name: outcome[name] for name in LimbView.model_fields})
