import math

import pytest

from reduction.outputs.words import duration, figure, percent, plural, sentence


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (5e-8, "50 ns"),
        (5e-4, "500 µs"),
        (-0.02, "-20 ms"),
        (0.29, "290 ms"),
        (1.25, "1.25 s"),
        (86400.0, "86,400 s"),
        (math.nan, "?"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0308, "3.1 %"), (0.25, "25 %"), (0.0042, "0.42 %"), (0.0, "0.0 %"), (math.inf, "?")],
)
def test_percent(value: float, text: str) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1.00"), (21500.0, "21,500"), (0.0312, "0.0312"), (0.0, "0"), (1e-7, "1e-07"), (None, "?")],
)
def test_figure(value: float | None, text: str) -> None:
    assert figure(value) == text


def test_sentences() -> None:
    assert sentence(["one gap", "3 frames lost"]) == "One gap; 3 frames lost."
    assert plural(1, "gap") == "1 gap"
    assert plural(2000, "frame") == "2,000 frames"
