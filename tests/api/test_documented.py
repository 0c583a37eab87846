"""docs/service.md names every setting and every route of accounts."""

from pathlib import Path

import pytest

from tests.requirements import require

require("server")

from api.nodes.settings import NodeSettings  # noqa: E402 - after the check for the extra
from api.settings import ServiceSettings  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs"
TEXT = (DOCS / "service.md").read_text(encoding="utf-8")
NODES = (DOCS / "operations-nodes.md").read_text(encoding="utf-8")
INNER = {"hosts", "local"}
"""What follows from the address it listens on."""


@pytest.mark.parametrize("name", sorted(set(ServiceSettings.model_fields) - INNER))
def test_every_setting_is_documented(name: str) -> None:
    group, _, rest = name.upper().partition("_")
    assert f"UMBRA_{name.upper()}" in TEXT or (f"UMBRA_{group}_" in TEXT and f"`_{rest}`" in TEXT), name


@pytest.mark.parametrize("name", sorted(NodeSettings.model_fields))
def test_every_setting_of_a_node_is_documented(name: str) -> None:
    assert f"`UMBRA_NODE_{name.upper()}`" in NODES
