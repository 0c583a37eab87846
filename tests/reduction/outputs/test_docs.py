import re
from pathlib import Path
from typing import Any

from reduction.outputs.folder import FILES
from reduction.outputs.summary import summarise
from reduction.outputs.tables import FLAG_MEANINGS, LIGHTCURVE_COLUMNS, STAR_COLUMNS
from reduction.outputs.verdict import CAUTIONS, FEW_BASELINE_POINTS, LIMITS, LOW_SNR, judge
from reduction.result import ReductionResult

TEXT = (Path(__file__).parents[3] / "docs" / "outputs.md").read_text(encoding="utf-8")


def table(heading: str, level: str = "##") -> list[list[str]]:
    """Rows of the table below a heading, without its head."""
    part = TEXT.split(f"\n{level} {heading}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| (.*) \|$", part, re.MULTILINE)
    return [row.split(" | ") for row in rows if not row.startswith("---")]


def leaves(value: Any, name: str = "") -> set[str]:
    """Names of the fields two deep."""
    if name.count(".") == 1 or not isinstance(value, dict):
        return {name}
    return set().union(*(leaves(v, f"{name}.{k}" if name else k) for k, v in value.items()))


def test_columns_are_documented() -> None:
    for heading, columns in (("lightcurve.csv", LIGHTCURVE_COLUMNS), ("stars.parquet", STAR_COLUMNS)):
        assert table(heading)[1:] == [[f"`{c.name}`", c.unit, c.meaning] for c in columns]


def test_flags_are_documented() -> None:
    expected = [[str(int(flag)), str(flag.name), meaning] for flag, meaning in FLAG_MEANINGS.items()]
    assert table("Flags", "###")[1:] == expected


def test_files_are_documented() -> None:
    head = TEXT.split("\n## ")[0]
    assert re.findall(r"^\| `([^`]+)` \|", head, re.MULTILINE) == list(FILES)


def test_every_field_of_the_summary_is_documented(result: ReductionResult) -> None:
    written = leaves(summarise(result, judge(result), FILES))
    documented = {name for row in table("summary.json")[1:] for name in re.findall(r"`([^`]+)`", row[0])}
    assert documented == written


def test_limits_are_documented() -> None:
    rows = table("Can this be trusted?")
    limits = [row for row in rows if row[0] in LIMITS]
    assert limits == [[name, f"{good:g}", f"{bad:g}"] for name, (good, bad) in LIMITS.items()]
    cautions = [[t, f"`{c.value}`", why] for t, caveats in CAUTIONS.items() for c, why in caveats.items()]
    assert [row for row in rows if row[0] in CAUTIONS] == cautions
    assert f"fewer than {FEW_BASELINE_POINTS} out-of-event points" in TEXT
    assert f"signal-to-noise below {LOW_SNR:g}" in TEXT
