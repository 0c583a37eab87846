"""Campaigns, one's places and instruments, and the observations one takes part with."""

from typing import Annotated, Any

import typer

from api.client import Service
from api.remote.fields import fields_of
from api.remote.shown import Json, Where, opened, say, say_json, table
from reduction.errors import RequestError

KINDS = ("telescope", "camera", "recorder", "filter")
Words = Annotated[
    list[str] | None, typer.Argument(metavar="[FIELD=VALUE...]", help="Further fields, as docs/service.md.")
]
Piece = Annotated[str | None, typer.Option(metavar="NAME|ID")]


def campaigns(
    campaign: Annotated[str | None, typer.Argument(metavar="[ID]", help="One of them.")] = None,
    state: Annotated[str | None, typer.Option("--state", metavar="open|closed")] = None,
    service: Where = None,
    as_json: Json = False,
) -> None:
    """List campaigns, the last opened first; or tell one, with one's own observations in it."""
    with opened(service) as umbra:
        if campaign is not None:
            _one(umbra, campaign, as_json)
            return
        found = list(umbra.pages("/campaigns", **({} if state is None else {"state": state})))
    if as_json:
        say_json(found)
        return
    rows = [(one["id"], one["state"], one["prediction"]["at"][:16] + "Z", one["name"]) for one in found]
    table(rows)


def _one(umbra: Service, campaign: str, as_json: bool) -> None:
    view = umbra.ask("GET", f"/campaigns/{campaign}")
    own = list(umbra.pages("/observations", campaign=campaign))
    if as_json:
        say_json({**view, "observations": own})
        return
    prediction = view["prediction"]
    say(f"{view['name']} ({view['state']})  {view['id']}")
    say(f"  closest approach  {prediction['at']}")
    if prediction["star_mag"] is not None:
        say(f"  star              {prediction['star_name'] or '?'}, mag {prediction['star_mag']:.1f}")
    if prediction["max_duration_s"] is not None:
        say(f"  longest event     {prediction['max_duration_s']:.1f} s")
    answer_for = ", ".join(one["name"] for one in view["responsibles"]) or "the staff"
    say(f"  answers for it    {answer_for}")
    for one in own:
        say(f"  your station      {one['station']} ({one['status']})  {one['id']}")


def site(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A new site; without it, a list.")
    ] = None,
    words: Words = None,
    service: Where = None,
    as_json: Json = False,
) -> None:
    """List one's sites, or add one: NAME latitude_deg=36.82 longitude_deg=30.34 height_m=2485; code=A84."""
    with opened(service) as umbra:
        if name is None:
            _list(list(umbra.pages("/sites")), as_json, "latitude_deg", "longitude_deg", "height_m")
            return
        made = umbra.ask("POST", "/sites", {"name": name, **fields_of(words or [])})
    if as_json:
        say_json(made)
        return
    say(f"{made['id']}  {made['name']}: {made['latitude_deg']:.6f} {made['longitude_deg']:.6f}")
    for note in made["notes"]:
        say(f"note: {note}")


def equipment(
    kind: Annotated[
        str | None, typer.Argument(metavar="[KIND]", help="telescope, camera, recorder or filter.")
    ] = None,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]")] = None,
    words: Words = None,
    service: Where = None,
    as_json: Json = False,
) -> None:
    """List one's equipment, or add a piece: telescope "C11" aperture_mm=280."""
    with opened(service) as umbra:
        if kind is None:
            rows = [{**one["equipment"], "id": one["id"]} for one in umbra.pages("/equipment")]
            _list(rows, as_json, "kind")
            return
        if name is None or kind not in KINDS:
            raise RequestError(f"give a kind ({', '.join(KINDS)}) and a name")
        piece = {"kind": kind, "name": name, **fields_of(words or [])}
        made = umbra.ask("POST", "/equipment", {"equipment": piece})
    if as_json:
        say_json(made)
    else:
        say(f"{made['id']}  {kind} {name}")


def _list(found: list[dict[str, Any]], as_json: bool, *columns: str) -> None:
    if as_json:
        say_json(found)
    else:
        table([(one["id"], one["name"], *(one[column] for column in columns)) for one in found])


def join(
    campaign: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="Its id.")],
    station: Annotated[str, typer.Option("--station", metavar="NAME", help="What the report calls it.")],
    site: Annotated[str, typer.Option("--site", metavar="NAME|ID", help="One of your sites.")],
    telescope: Piece = None,
    camera: Piece = None,
    recorder: Piece = None,
    filter_: Annotated[str | None, typer.Option("--filter", metavar="NAME|ID")] = None,
    consent: Annotated[
        bool, typer.Option("--consent", help="You agree to be named in the publication.")
    ] = False,
    service: Where = None,
    as_json: Json = False,
) -> None:
    """Take part in a campaign with a station."""
    wanted = dict(zip(KINDS, (telescope, camera, recorder, filter_), strict=True))
    with opened(service) as umbra:
        body: dict[str, Any] = {"campaign": campaign, "station": station, "consent": consent}
        body["site"] = _named(list(umbra.pages("/sites")), site, "site")
        if any(wanted.values()):
            pieces = [{**one["equipment"], "id": one["id"]} for one in umbra.pages("/equipment")]
            for kind, text in wanted.items():
                if text is not None:
                    body[kind] = _named([one for one in pieces if one["kind"] == kind], text, kind)
        made = umbra.ask("POST", "/observations", body)
    _told(made, as_json)


def _named(found: list[dict[str, Any]], text: str, what: str) -> str:
    """Id of the one that is meant, by name or id."""
    matches = [str(one["id"]) for one in found if text in {one["id"], one["name"]}]
    if len(matches) != 1:
        known = ", ".join(str(one["name"]) for one in found) or "none"
        count = "no such one" if not matches else f"{len(matches)} have this name"
        raise RequestError(f"{what} {text!r:.80}: {count}; there are {known}")
    return matches[0]


def report(
    observation: Annotated[str, typer.Argument(metavar="OBSERVATION", help="Its id.")],
    status: Annotated[
        str | None,
        typer.Option("--status", help="planned, positive, negative, overcast, technical_failure or unknown."),
    ] = None,
    words: Words = None,
    service: Where = None,
    as_json: Json = False,
) -> None:
    """Report what was seen: --status, and fields such as timing=gps exposure_s=0.04 seeing=fair."""
    changed = fields_of(words or [])
    with opened(service) as umbra:
        body: dict[str, Any] = {} if status is None else {"status": status}
        if changed:
            before = umbra.ask("GET", f"/observations/{observation}")["report"]
            body["report"] = {**{k: v for k, v in before.items() if v is not None}, **changed}
        if not body:
            raise RequestError("nothing to report: give --status, or FIELD=VALUE")
        made = umbra.ask("PATCH", f"/observations/{observation}", body)
    _told(made, as_json)


def _told(made: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say_json(made)
    else:
        say(f"{made['id']}  {made['station']}: {made['status']}")
