"""The page on light curves: its tables are the registries', its options and fields those that are there."""

import re
from pathlib import Path

from ingest.curve_arguments import ARGUMENTS as CURVE
from ingest.curves.dialect_table import dialect_table, form_table
from ingest.event_arguments import ARGUMENTS as EVENT
from reduction.events.document import document
from reduction.events.settings import EventSettings
from tests.reduction.events.said import analysis, curve

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "lightcurves.md").read_text(encoding="utf-8")


def test_tables_are_those_of_the_registries() -> None:
    assert dialect_table() in PAGE
    assert form_table() in PAGE


def test_every_option_is_explained() -> None:
    named = set(re.findall(r"--[a-z][a-z-]*", PAGE))
    missing = {argument.flag for argument in (*CURVE.values(), *EVENT.values())} - named
    assert not missing
    known = {argument.flag for argument in (*CURVE.values(), *EVENT.values())}
    assert named - known <= {"--as", "--out", "--json", "--overlay", "--overwrite"}


def test_every_field_of_the_document_is_explained() -> None:
    one = curve()
    found = document(analysis(one), one, EventSettings())
    rows = PAGE.partition("### events.json")[2]
    for name in (*found, *found["events"][0], *found["events"][0]["d"]):
        if name not in {"version", "label", "dip"}:
            assert f"`{name}`" in rows, name
