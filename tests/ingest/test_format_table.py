from pathlib import Path

import pytest

from ingest.format_table import START, STOP, format_table, main, with_table
from ingest.formats import FORMATS
from reduction.errors import RequestError

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_is_in_step() -> None:
    text = README.read_text(encoding="utf-8")
    assert with_table(text) == text, "run python -m ingest.format_table README.md"


def test_every_format_has_its_row() -> None:
    table = format_table()
    for row in FORMATS:
        assert row.description in table
        assert row.times, row.name
        assert all(f"`{suffix}`" in table for suffix in row.suffixes)
    assert {line.count("|") for line in table.splitlines()} == {5}


def test_it_is_put_between_its_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.md"
    path.write_text(f"before\n{START}\nold\n{STOP}\nafter\n")
    main([str(path)])
    assert path.read_text() == f"before\n{START}\n{format_table()}{STOP}\nafter\n"
    main([])
    assert capsys.readouterr().out == format_table()


@pytest.mark.parametrize("text", ["", START, STOP + START, START + STOP + STOP])
def test_a_document_without_marks_is_refused(text: str) -> None:
    with pytest.raises(RequestError, match="no lines"):
        with_table(text)
