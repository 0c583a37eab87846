"""The lines of README and of the researchers' guide are run as they are printed: a campaign, a replay."""

import re
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

import numpy as np  # noqa: E402 - after the check for the extra

from api.remote.archive_check import check_archive  # noqa: E402
from ingest.writers import write_ser  # noqa: E402
from tests.api.campaign import recordings, truth  # noqa: E402
from tests.api.campaign.night import PASSWORD, STAFF, Night, umbra  # noqa: E402
from tests.api.mail.sink import Sink  # noqa: E402
from tests.api.uploads.served import LEAN, ROOT, Served  # noqa: E402

BLOCK = re.compile(r"```python\n(.*?)```\n", re.DOTALL)
URL, KEY = '"https://umbra.example.org"', '"umbra_KEY"'


def blocks_of(name: str) -> list[str]:
    """Blocks of Python in a document."""
    return BLOCK.findall((ROOT / name).read_text(encoding="utf-8"))


def test_a_campaign_in_ten_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (lines,) = [block for block in blocks_of("README.md") if "Service(" in block]
    first, again = blocks_of("docs/researchers.md")
    assert lines == first
    assert sum(bool(line.strip()) for line in lines.splitlines()) == 10
    assert URL in lines
    assert KEY in lines
    served = Served(tmp_path / "home", LEAN)
    served.home.mkdir()
    umbra(served, "user", "add", STAFF, "--staff", stdin=f"{PASSWORD}\n")
    served.start()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prediction.xml").write_text(truth.XML)
    scene = recordings.scene_of(truth.PLACES[0])
    stamps = scene.frame_start_ns(np.arange(scene.frames))
    write_ser(tmp_path / "night.ser", map(scene.frame, range(scene.frames)), stamps_ns=stamps)
    try:
        night = Night(served, Sink(), tmp_path / "people")
        night.staff()
        key = night.key(STAFF)
        exec(lines.replace(URL, repr(served.url)).replace(KEY, repr(key)), {})
        with night.service(STAFF) as service:
            (station,) = service.ask("GET", "/observations")["items"]
            (result,) = service.ask("GET", f"/observations/{station['id']}/results")["items"]
            service.download(result["links"]["provenance"], "provenance.json")
    finally:
        served.kill()
    assert len((tmp_path / "lightcurve.csv").read_text().splitlines()) == recordings.FRAMES + 1
    assert len((tmp_path / "chords.csv").read_text().splitlines()) == 2
    assert (tmp_path / "limb.png").read_bytes().startswith(b"\x89PNG")
    assert check_archive(tmp_path / "event.zip") > 3
    exec(again, {})
    assert (tmp_path / "again" / "lightcurve.csv").read_bytes() == (tmp_path / "lightcurve.csv").read_bytes()
