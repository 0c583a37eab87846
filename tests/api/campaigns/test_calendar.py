"""Escaping and folding, for any text."""

from hypothesis import given
from hypothesis import strategies as st

from tests.requirements import require

require("server")

from api.campaigns.authors import latex  # noqa: E402
from api.campaigns.calendar import escaped, folded  # noqa: E402
from tests.api.campaigns.ics import content_lines, plain  # noqa: E402

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=300)


@given(TEXT)
def test_text_comes_back(text: str) -> None:
    (line,) = content_lines(folded(f"SUMMARY:{escaped(text)}"))
    assert plain(line.removeprefix("SUMMARY:")) == text


def test_controls_cannot_begin_a_line() -> None:
    assert escaped("a\r\nATTENDEE:b\x00\x07\rc") == "a\\nATTENDEE:bc"
    assert plain(escaped("a\nb")) == "a\nb"


@given(TEXT)
def test_latex_has_no_commands_of_the_text(text: str) -> None:
    made = latex(text)
    depth = 0
    position = 0
    while position < len(made):
        if made[position] == "\\":
            rest = made[position:]
            assert rest.startswith(("\\{", "\\}", "\\$", "\\&", "\\#", "\\%", "\\_", "\\text")), rest[:20]
            position += 2
            continue
        assert made[position] not in "$&#%_~^"
        depth += {"{": 1, "}": -1}.get(made[position], 0)
        assert depth >= 0
        position += 1
    assert depth == 0
