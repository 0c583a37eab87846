"""Help: what every number means, with its formula and its source."""

from types import MappingProxyType
from typing import Annotated

from fastapi import Path, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.problems import RefusedError
from api.web.advice import ADVICE, NOTHING
from api.web.pages import VisitDep, page_router
from api.web.reduction_words import in_portal
from ingest.formats import FORMATS
from reduction.outputs.tables import FLAG_MEANINGS
from reduction.outputs.verdict import CAUTIONS, LIMITS
from reduction.result import UNUSABLE

TOPICS = MappingProxyType(
    {
        "curves": ("Light curves", "The three curves, the verdict, and what can be done on their page."),
        "events": ("Events", "Was there one? D, R, depth and duration, their errors, and how sure they are."),
        "times": ("Times", "From what a recorder wrote to UTC of mid-exposure, with an error."),
        "photometry": (
            "Photometry",
            "How much light a star gave on a frame, and where its error comes from.",
        ),
        "predictions": ("Predictions", "The shadow's path, and what a place may expect."),
        "campaigns": ("Campaigns", "Who takes part, who leads, and who sees what when."),
        "chords": ("Chords", "What each station saw of the body, in kilometres."),
        "limb": ("Limb", "From the chords to the size, shape and place of a body."),
        "viewer": ("Frame viewer", "Looking at frames, and marking stars on them."),
        "reduction": ("Reductions", "What can be asked for when a recording is reduced."),
        "uploads": ("Uploads", "Sending recordings over a bad line, and what is done with them."),
        "formats": ("Formats", "What is read, and every form in which a curve can be taken away."),
        "reports": ("Reports", "What an observer states, and the forms that are made from it."),
    }
)
"""Name in the address -> title, and what the page is about."""

router = page_router()
MayRead = Annotated[Permit, may(Operation.SEE_PAGES)]


@router.get("/help")
def overview(visit: VisitDep, permit: MayRead) -> Response:
    """List the topics."""
    del permit
    return visit.page("help/index.html", topics=TOPICS)


@router.get("/help/{topic}")
def topic(
    topic: Annotated[str, Path(pattern=r"^[a-z]{2,20}$")], visit: VisitDep, permit: MayRead
) -> Response:
    """Explain a topic."""
    del permit
    if topic not in TOPICS:
        raise RefusedError(404, "there is no such help; /help lists what there is")
    title, lead = TOPICS[topic]
    return visit.page(
        f"help/{topic}.html",
        topics=TOPICS,
        topic=topic,
        heading=title,
        lead=lead,
        flags=[(int(f), str(f.name), text, bool(f & UNUSABLE)) for f, text in FLAG_MEANINGS.items()],
        limits=LIMITS,
        cautions=CAUTIONS,
        advice=[(str(code), one.text) for code, one in ADVICE.items() if one.text != NOTHING],
        formats=[(one.description, one.suffixes, in_portal(one.times)) for one in FORMATS],
    )
