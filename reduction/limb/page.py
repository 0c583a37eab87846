"""``limb.html``: the chords and the limb to look into, one page that needs nothing else."""

import html
import json
from pathlib import Path

import numpy as np

from reduction.limb.figures import BAND, CHORD, LIMB, MIRROR, MISS, SHIFTED, sentence
from reduction.limb.study import ChordStudy
from reduction.limb.tables import rows, text

TEMPLATE = Path(__file__).with_name("page.html")


def page(study: ChordStudy) -> str:
    """The page."""
    content = json.dumps(_data(study), allow_nan=False).replace("</", "<\\/")
    answer = TEMPLATE.read_text(encoding="utf-8")
    filled = {
        "@TITLE@": html.escape(study.campaign.prediction.title),
        "@LINE@": html.escape(sentence(study)),
        "@TEXT@": html.escape(text(study)),
        "@BAND@": BAND,
        "@MIRROR@": MIRROR,
        "@LIMB@": LIMB,
        "@DATA@": content,
    }
    for mark, value in filled.items():
        answer = answer.replace(mark, value, 1) if mark != "@TITLE@" else answer.replace(mark, value)
    return answer


def _data(study: ChordStudy) -> dict[str, object]:
    """What the page draws, in km to the right (west) and down (south)."""
    limb = study.limb
    angles = np.linspace(0, 360, 181)
    way = np.stack([np.sin(np.radians(angles)), np.cos(np.radians(angles))], axis=1)
    centre = np.array([limb.ellipse.f_km, limb.ellipse.g_km])
    low, high = limb.band(angles)
    reach = 1.5 * max(limb.ellipse.a_km, float(np.hypot(*study.times.point.T).max()) / 2)
    for other in limb.solutions[1:2]:
        shift = np.hypot(other.ellipse.f_km - centre[0], other.ellipse.g_km - centre[1])
        reach = max(reach, 1.1 * (float(shift) + other.ellipse.a_km))

    def down(points: object) -> list[list[float]]:
        return [[round(-float(f), 3), round(-float(g), 3)] for f, g in np.asarray(points)]

    ring = np.concatenate([centre + low[:, None] * way, (centre + high[:, None] * way)[::-1]])
    named = {study.kept[one.chord] for one in study.offsets.named}
    told = {row["station"]: row for row in rows(study)}
    chords = []
    for index, chord in enumerate(study.chords):
        if chord.station.status == "none":
            continue
        at = chord.closest
        far = 4 * reach / at.speed_km_s
        seen = [(one.f_km, one.g_km) for one in (chord.d, chord.r) if one is not None]
        colour = MISS if chord.station.status == "negative" else (SHIFTED if index in named else CHORD)
        row = told[chord.station.name]
        chords.append(
            {
                "name": chord.station.name,
                "colour": colour,
                "path": down([at.after(-far), at.after(far)]),
                "seen": down(seen) if seen else [],
                "tell": "\n".join(f"{key}: {value}" for key, value in row.items() if value not in {None, ""}),
            }
        )
    return {
        "middle": down([centre])[0],
        "reach": round(reach, 3),
        "limb": down(limb.ellipse.outline(181)),
        "others": [down(one.ellipse.outline(181)) for one in limb.solutions[1:2]],
        "band": down(ring),
        "chords": chords,
    }
