"""The process that fits a limb: ``python -m api.fits.computing``, an order on its stdin.

In the order's folder lie the campaign's file, the prediction and the results, as `umbra chords` reads them.
It limits itself, writes the files into ``out`` there, and one JSON document: what is told of the limb.
"""

import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from api.equipment.places import rough_place
from api.fits.inputs import CAMPAIGN
from api.uploads.examination import confine
from reduction.errors import UmbraError

OUT = "out"
OPEN = ("limb-open.png", "limb-open.svg")
"""The figure for those who may not know the places: chords laid from rounded ones."""

NOTE = "Chords as seen from places rounded to 0.01° and 100 m; the limb is fitted to the exact ones."


def main() -> int:
    """Fit what the order names."""
    order = json.load(sys.stdin)
    confine(order["seconds"])
    try:
        said = fitted(Path(order["folder"]), order["seed"])
    except UmbraError as error:
        said = {"good": False, "message": str(error)}
    except MemoryError:
        said = {"good": False, "message": "the fit needs too much memory"}
    sys.stdout.write(json.dumps(said, allow_nan=False))
    return 0


def fitted(folder: Path, seed: int) -> dict[str, Any]:
    """Fit the limb of a campaign's folder, and write what `umbra chords` writes.

    Raises
    ------
    DataError, RequestError
        As `umbra chords`.
    """
    from ingest.chord_files import contents_of
    from reduction.limb.campaign import read_campaign
    from reduction.limb.figures import limb_figure, sentence
    from reduction.limb.study import study
    from reduction.limb.tables import document

    read = read_campaign(folder / CAMPAIGN)
    found = study(read, None, seed)
    notes = list(read.notes)
    contents = contents_of(found, notes)
    rough = dataclasses.replace(found, chords=tuple(_rough(found.plane, one.station) for one in found.chords))
    contents |= {name: limb_figure(rough, name.rpartition(".")[2], NOTE) for name in OPEN}
    out = folder / OUT
    out.mkdir()
    for name, content in contents.items():
        (out / name).write_bytes(content)
    told = document(found)
    return {
        "good": True,
        "sentence": sentence(found),
        "chords": len(found.kept),
        "stations": len(found.chords),
        "fit": without_stations(told["fit"]),
        "fit_with_named_stations_free": without_stations(told["fit_with_named_stations_free"]),
        "named": told["named"],
        "notes": [*told["notes"], *({"kind": "files", "message": note} for note in notes)],
    }


def without_stations(fit: dict[str, Any] | None) -> dict[str, Any] | None:
    """A fit without what tells of single stations' places."""
    return None if fit is None else {name: value for name, value in fit.items() if name != "influence"}


def _rough(plane: Any, station: Any) -> Any:
    """A station's chord from its rounded place."""
    from reduction.limb.chords import lay_chord

    site = station.site
    place = rough_place(site.latitude_deg, site.longitude_deg, site.altitude_m)
    there = site.model_copy(
        update={
            "latitude_deg": place.latitude_deg,
            "longitude_deg": place.longitude_deg,
            "altitude_m": place.height_m,
        }
    )
    return lay_chord(plane, dataclasses.replace(station, site=there))


if __name__ == "__main__":
    sys.exit(main())
