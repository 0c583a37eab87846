"""Words of settings and options, and rows of tables that a phone shows as lists."""

import re
from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from markupsafe import Markup  # noqa: E402 - after the check for the extra

from api.web.reduction_forms import ReductionForm  # noqa: E402
from api.web.reduction_words import OPTIONS, SETTINGS, STAGES, in_portal, setting, stage  # noqa: E402
from api.web.rendering import labelled  # noqa: E402
from ingest.formats import FORMATS  # noqa: E402


def test_settings_of_the_form_have_words() -> None:
    templates = Path(__file__).parents[3] / "api" / "web" / "templates" / "reductions"
    asked = set()
    for name in ("form.html", "parts.html"):
        asked |= set(
            re.findall(r'(?:field|choice)\("([a-z_.]+)"', (templates / name).read_text(encoding="utf-8"))
        )
    assert asked <= set(SETTINGS)
    for name in SETTINGS:
        assert name.split(".")[0] in ReductionForm.model_fields
    assert setting("plan.event.models") == "event models"


def test_no_option_of_the_command_is_told() -> None:
    assert (
        in_portal("taken as middle; say --time-is start, mid or end")
        == "taken as middle; state it under Times when you reduce"
    )
    assert in_portal("give `--times`, or `--start-utc` with `--cadence`") == (
        "give a table of times, or the UTC of the first frame with the interval of frames"
    )
    assert all(in_portal(said) == told for said, told in OPTIONS)
    assert not any("--" in in_portal(one.times) or "`" in in_portal(one.times) for one in FORMATS)


def test_stages() -> None:
    assert stage("scan") == "Look through all frames"
    assert stage("else") == "else"
    assert len(dict(STAGES)) == len(STAGES)


@pytest.mark.parametrize("label", ["Size", 'a "b" <c>'])
def test_cells_know_their_columns(label: str) -> None:
    first, second = '<th scope="row">x</th><td class="num">1</td>', "<td>y</td><td>2</td><td>3</td>"
    rows = Markup(f'<tr>{first}</tr><tr class="t">{second}</tr>')
    named, told = labelled(rows, ["", label]), str(Markup.escape(label))
    assert re.findall(r'data-label="([^"]*)"', named) == ["", told, "", told, ""]
    assert re.sub(r' data-label="[^"]*"', "", named) == str(rows)
