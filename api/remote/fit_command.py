"""`umbra remote fit`."""

from typing import Annotated

import typer

from api.remote.fields import fields_of
from api.remote.shown import PATIENCE_S, Json, PatienceS, Where, leaving, opened, say, say_json


def fit(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its id.")],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FIELD=VALUE...]", help="As model=circle diameter_km=102."),
    ] = None,
    patience_s: PatienceS = PATIENCE_S,
    service: Where = None,
    as_json: Json = False,
) -> None:
    """Fit the limb to the chords of a campaign, and wait for it."""
    with opened(service, patience_s) as umbra, leaving("the fit goes on; see it by umbra remote fetch --fit"):
        view = umbra.fit(campaign, **fields_of(words or []))
    if as_json:
        say_json(view)
        return
    say(f"version {view['version']}: umbra remote fetch {campaign} --fit")
