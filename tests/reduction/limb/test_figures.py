from itertools import product
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from reduction.limb.campaign import read_campaign
from reduction.limb.figures import _limb
from reduction.limb.shape import Ellipse
from reduction.limb.study import study
from reduction.utc import utc_line
from tests.reduction.limb import events
from tests.reduction.limb.events import observed, plane

TRUTH = Ellipse(12.0, -7.0, 55.0, 47.0, 30.0)
CORNER = ("N", "E", "star")


def drawn(folder: Path, shares: list[float]) -> Figure:
    """The figure of a campaign whose chords lie there."""
    lines = ['prediction = "event.xml"', 'star_catalogue = "Gaia3"']
    for one in observed(plane(), TRUTH, shares, np.random.default_rng(3)):
        lines += ["[[station]]", f'name = "{one.name} of the hills"', f'status = "{one.status}"']
        lines += [f"latitude_deg = {one.site.latitude_deg}", f"longitude_deg = {one.site.longitude_deg}"]
        if one.d is not None and one.r is not None:
            lines += [f'd = "{utc_line(one.d.utc_ns)}"', "d_sigma_s = 0.05"]
            lines += [f'r = "{utc_line(one.r.utc_ns)}"', "r_sigma_s = 0.05", "exposure_s = 0.04"]
    (folder / "campaign.toml").write_text("\n".join(lines))
    (folder / "event.xml").write_text(events.XML)
    return _limb(study(read_campaign(folder)))


@pytest.mark.parametrize("side", [-1, 1])
@pytest.mark.parametrize("north", ["-2.4", "2.4", "0.2"])
def test_no_name_lies_on_the_compass(
    north: str, side: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "XML", events.XML.replace(",-2.4,", f",{north},"))
    figure = drawn(tmp_path, [side * share for share in (-0.2, 0.1, 0.4, 0.65, 0.9, 1.2)])
    FigureCanvasAgg(figure)
    texts = {text.get_text(): text.get_window_extent() for text in figure.axes[0].texts if text.get_text()}
    names = [name for name in texts if name not in CORNER and "mas" not in name]
    assert len(names) >= 5
    met = [pair for pair in product(names, CORNER) if texts[pair[0]].overlaps(texts[pair[1]])]
    assert not met
