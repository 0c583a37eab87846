"""Estimates are corrected by what recordings took before."""

import json
from pathlib import Path

import pytest

from cluster.campaign import learned as learned_module
from cluster.campaign.estimate import BASIS, basis
from cluster.campaign.events import Event, Silent
from cluster.campaign.learned import FEW, FILE, MANY, Costs, Learning, read_costs
from cluster.edition import edition


def test_a_factor_is_the_ratio_of_the_sums_once_there_are_a_few(tmp_path: Path) -> None:
    costs = read_costs(tmp_path)
    for number in range(FEW):
        assert costs.factor("ser") == 1.0
        costs.add("ser", 2.0, 3.0 + number)
    assert costs.factor("ser") == pytest.approx(sum(3.0 + n for n in range(FEW)) / (2.0 * FEW))
    assert costs.factor("video") == 1.0
    costs.keep()
    again = read_costs(tmp_path)
    assert (again.factor("ser"), again.recordings) == (costs.factor("ser"), FEW)


def test_old_recordings_are_forgotten_slowly() -> None:
    costs = Costs()
    for _ in range(1000):
        costs.add("ser", 1.0, 1.0)
    for _ in range(2000):
        costs.add("ser", 1.0, 2.0)
    assert costs.factor("ser") == pytest.approx(2.0, abs=0.01)
    assert costs.formats["ser"].recordings == pytest.approx(MANY)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"form": "umbra-costs-1"}',
        '{"form": 1, "edition": 2, "formats": 3}',
        "[" * 99999,
    ],
    ids=["empty", "cut", "list", "null", "half", "numbers", "deep"],
)
def test_what_is_damaged_is_made_anew(content: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(content)
    assert read_costs(tmp_path).formats == {}


@pytest.mark.parametrize("cost", [[1.0, -1.0, 1.0], ["x", 1.0, 1.0], [1.0], [None] * 3, "abc"], ids=str)
def test_figures_that_make_no_sense_are_not_used(cost: object, tmp_path: Path) -> None:
    whole = {"form": learned_module.FORM, "edition": edition(), "formats": {"ser": cost}}
    (tmp_path / FILE).write_text(json.dumps(whole))
    assert read_costs(tmp_path).factor("ser") == 1.0


def test_another_edition_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    costs = read_costs(tmp_path)
    for _ in range(FEW):
        costs.add("ser", 1.0, 2.0)
    costs.keep()
    assert read_costs(tmp_path).factor("ser") == 2.0
    monkeypatch.setattr(learned_module, "edition", lambda: "another")
    assert read_costs(tmp_path).factor("ser") == 1.0


def test_looking_on_learns_from_what_was_reduced(tmp_path: Path) -> None:
    seen = Silent()
    learning = Learning(seen, read_costs(tmp_path))
    for _ in range(FEW):
        learning.tell(Event("done", "A", format="ser", estimated_s=1.0, reduced_cpu_s=4.0))
    learning.tell(Event("done", "B", known=True))
    learning.tell(Event("failed", "C"))
    learning.close()
    assert len(seen.events) == FEW + 2
    costs = read_costs(tmp_path)
    assert costs.factor("ser") == 4.0
    assert basis(costs).startswith(BASIS)
    assert "3 recordings" in basis(costs)
    assert "ser 4.00" in basis(costs)
    assert basis(Costs()) == BASIS
