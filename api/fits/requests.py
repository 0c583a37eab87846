"""What is asked of chords and fits."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from api.observations.views import IdText
from api.results.requests import check_text
from api.words import Words
from reduction.geometry.stars import CatalogueStar
from reduction.limb.ades import AdesContext
from reduction.plan import Settings

MOST_STATIONS = 2000
Length = Annotated[float, Field(gt=0, le=1e6)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class ChoiceBody(Settings):
    """What the team decides of a station; an empty one goes back to what is taken by itself.

    Attributes
    ----------
    excluded : bool
        It takes no part in fits; `reason` says why.
    source : str or None
        ``result``: D and R of a reduction; ``curve``: those that Umbra finds in a light curve that the
        observer sent as an additional file; ``report``: the contacts that the observer reports.
    version : int or None
        Of the observation's results; null: the latest whose search for events came to an end.
    file : str or None
        The light curve; null: the latest.
    reason : str
        For those who ask later; needed for every decision.
    """

    excluded: bool = False
    source: Literal["result", "curve", "report"] | None = None
    version: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    file: IdText | None = None
    reason: Words = ""

    @property
    def empty(self) -> bool:
        """Whether nothing is decided."""
        return not self.excluded and self.source is None and self.version is None

    @model_validator(mode="after")
    def _told(self) -> Self:
        if self.version is not None and self.source not in {None, "result"}:
            raise ValueError("version: is of a result; leave it out, or source")
        if self.file is not None and self.source != "curve":
            raise ValueError("file: is a light curve; give source curve")
        if not self.empty and not self.reason:
            raise ValueError("reason: say why")
        return self


class StationAsk(Settings):
    """What is known of a station beyond its times, as in the file of `umbra chords`.

    Attributes
    ----------
    late_s : float
        All its times are known to be late by this: taken off them.
    clock_sigma_s : float
        What its D and R are wrong by together, one sigma.
    shortest_s : float or None
        A shorter event would not have been seen; null: what its reduction found.
    """

    late_s: Annotated[float, Field(ge=-86_400, le=86_400)] = 0.0
    clock_sigma_s: Seconds = 0.0
    shortest_s: Seconds | None = None


class FitAsk(Settings):
    """How a campaign's limb is to be fitted; what is not given is as `umbra chords` has it.

    Attributes
    ----------
    model : str
        ``auto``: an ellipse from seven times of D and R on, else a circle.
    seed : int
        Of the draws of the posterior.
    diameter_km, diameter_sigma_km : float or None
        Known beforehand: a prior.
    star_catalogue : str
        Where the star's place is from, in the words of ADES.
    star : CatalogueStar or None
        Its astrometry, to be carried to the event.
    ades : AdesContext or None
        Who observed, measured and submits.
    stations : mapping
        By the id of the observation.
    """

    model: Literal["auto", "circle", "ellipse"] = "auto"
    seed: Annotated[int, Field(ge=0, lt=1 << 31)] = 0
    diameter_km: Length | None = None
    diameter_sigma_km: Length | None = None
    star_catalogue: Annotated[str, Field(max_length=8, pattern=r"^[A-Za-z0-9]+$")] = "UNK"
    star: CatalogueStar | None = None
    ades: AdesContext | None = None
    stations: Annotated[dict[IdText, StationAsk], Field(max_length=MOST_STATIONS, default_factory=dict)]

    @model_validator(mode="before")
    @classmethod
    def _shown(cls, value: Any) -> Any:
        check_text(value)
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.diameter_sigma_km is not None and self.diameter_km is None:
            raise ValueError("diameter_sigma_km: is of diameter_km; give both")
        return self
