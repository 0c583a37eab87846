"""The matrix against Table 1, cell by cell."""

import pytest

from tests.requirements import require

require("server")

from api.access.matrix import BY_LEVEL, MATRIX, SCOPES, Level, Operation, Standing  # noqa: E402
from tests.api.access.table1 import ALL_COLUMNS, MANAGES, READS, TABLE_1, cells  # noqa: E402

S = Standing
OBSERVER = BY_LEVEL[Level.OBSERVER]
STANDINGS = {
    "anyone": S.ANYONE,
    "operator": S.ANYONE | S.OPERATOR,
    "observer": OBSERVER,
    "participant": OBSERVER | S.PARTICIPANT,
    "owner": OBSERVER | S.PARTICIPANT | S.OWNER,
    "reducer": OBSERVER | S.PARTICIPANT | S.OWNER | S.OWN_REDUCER,
    "responsible": OBSERVER | S.RESPONSIBLE,
    "staff": BY_LEVEL[Level.STAFF],
    "superuser": BY_LEVEL[Level.SUPERUSER],
    "reader": OBSERVER | S.PARTICIPANT | S.READER,
}
CELLS = cells()


@pytest.mark.parametrize("column", ALL_COLUMNS)
@pytest.mark.parametrize("operation", [operation.name for operation in Operation])
def test_every_cell(operation: str, column: str) -> None:
    allowed = bool(STANDINGS[column] & MATRIX[Operation[operation]].allowed)
    assert allowed == CELLS[operation, column]


def test_table_and_matrix_have_the_same_rows() -> None:
    assert {operation for operation, _ in CELLS} == {operation.name for operation in Operation}
    assert set(MATRIX) == set(Operation)


@pytest.mark.parametrize("service", TABLE_1)
def test_table_1_as_printed(service: str) -> None:
    superuser, staff, observer, responsible = TABLE_1[service]
    for operation in MANAGES[service]:
        assert CELLS[operation, "superuser"] == (superuser == "yes"), operation
        assert CELLS[operation, "staff"] == (staff == "yes"), operation
        assert CELLS[operation, "observer"] == (observer == "yes"), operation
        # the appointment: what it adds to being an observer
        assert CELLS[operation, "responsible"] == (responsible == "yes"), operation
        assert not CELLS[operation, "anyone"], operation
    for operation in READS.get(service, ()):
        assert CELLS[operation, "observer"] == (observer in {"yes", "read-only"}), operation


def test_a_key_cannot_make_itself_more_than_it_is() -> None:
    assert not any(
        MATRIX[Operation[name]].by_key
        for name in ("MAKE_KEY", "CHANGE_PASSWORD", "DELETE_ACCOUNT", "CHANGE_LEVEL", "LOG_IN", "BACK_UP")
    )
    assert "users:write" not in SCOPES
    assert not any(scope.startswith("backup") for scope in SCOPES)


def test_who_is_told_that_a_thing_is_there_may_see_it_at_least() -> None:
    for operation, row in MATRIX.items():
        if row.seen_by is not None:
            assert not MATRIX[row.seen_by].writes, operation
