"""Calibration frames of a folder: which belong to a recording, which do not and why."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ingest.fits_header import FitsHeader
from ingest.fits_keywords import ImageType, image_type
from ingest.prereduction import CalibrationFile, Chosen, Traits, choose, traits_of

LIGHT = Traits((13, 17), 0.05, (1.0, 1.0), "100", "10", "v", -10.0)


def files(
    kind: ImageType, count: int, first: int = 0, cube: bool = False, **traits: Any
) -> list[CalibrationFile]:
    own = replace(LIGHT, **traits)
    return [CalibrationFile(Path(f"{kind}{first + i}.fits"), kind, own, cube) for i in range(count)]


def numbers(chosen: Chosen) -> tuple[int, int, list[int]]:
    bias, dark = (0 if group is None else len(group.files) for group in (chosen.bias, chosen.dark))
    return bias, dark, [len(group.files) for group in chosen.flats]


class TestTypes:
    @pytest.mark.parametrize(
        ("kind", "words"),
        [
            (
                "light",
                [
                    "Light Frame",
                    "LIGHT",
                    "light",
                    "object",
                    "OBJECT",
                    "Science",
                    "Light_Frame",
                    "Occultation",
                ],
            ),
            ("dark", ["Dark Frame", "DARK", "dark", "Master Dark", "MASTERDARK", "darkflat", "Dark Current"]),
            ("bias", ["Bias Frame", "BIAS", "zero", "ZERO", "Offset", "Master Bias", "superbias"]),
            (
                "flat",
                ["Flat Field", "FLAT", "Flat Frame", "skyflat", "Twilight Flat", "Twilight", "Master Flat"],
            ),
            (None, ["PolarAlign", "focus", "?"]),
        ],
    )
    def test_words(self, kind: ImageType | None, words: list[str]) -> None:
        for key in ("IMAGETYP", "IMAGETYPE", "FRAME", "OBSTYPE"):
            for word in words:
                assert image_type(FitsHeader("a", {key: f" '{word}'"})) == kind, word
        assert image_type(FitsHeader("a", {})) == "light"


class TestTraits:
    def test_of_a_header(self) -> None:
        cards = {
            "EXPTIME": " 0.05",
            "XBINNING": " 2",
            "YBINNING": " 2",
            "GAIN": " 100.0",
            "FILTER": " 'Clear   '",
            "CCD-TEMP": " -9.8",
        }
        found = traits_of(FitsHeader("a", cards), (13, 17))
        assert found == Traits((13, 17), 0.05, (2.0, 2.0), "100", None, "clear", -9.8)
        assert traits_of(FitsHeader("a", {}), (3, 4)) == Traits((3, 4), *[None] * 6)
        assert traits_of(FitsHeader("a", {"CCDXBIN": " 1", "CCDYBIN": " 2"}), (3, 4)).binning == (1.0, 2.0)


class TestChoice:
    def test_what_fits_is_grouped(self) -> None:
        mixed = files("bias", 9, exposure_s=0.0) + files("dark", 7) + files("flat", 5, exposure_s=1.0)
        chosen = choose(mixed, LIGHT)
        assert numbers(chosen) == (9, 7, [5])
        assert chosen.left_out == chosen.remarks == ()
        assert chosen.any
        assert not choose([], LIGHT).any

    def test_the_dark_of_the_same_exposure(self) -> None:
        darks = files("dark", 3) + files("dark", 9, 3, exposure_s=10.0)
        chosen = choose(darks, LIGHT)
        assert numbers(chosen)[1] == 3
        assert chosen.left_out == ("9 dark frames of 10 s: others have the recording's exposure",)
        assert numbers(choose(darks, replace(LIGHT, exposure_s=0.0505)))[1] == 3
        assert numbers(choose(darks, replace(LIGHT, exposure_s=9.9)))[1] == 9

    def test_without_a_bias_a_dark_is_not_scaled(self) -> None:
        darks = files("dark", 9, exposure_s=10.0)
        chosen = choose(darks, LIGHT)
        assert chosen.dark is None
        assert "exposed 0.05 s, and there is no bias to scale them with" in chosen.left_out[0]
        for scaled in (choose([*darks, *files("bias", 2)], LIGHT), choose(darks, LIGHT, bias_given=True)):
            assert numbers(scaled)[1] == 9
            assert not scaled.left_out
        nearest = choose([*darks, *files("dark", 2, 9, exposure_s=1.0)], LIGHT, bias_given=True)
        assert numbers(nearest)[1] == 2

    def test_exposures_that_are_not_stated(self) -> None:
        unstated = files("dark", 4, exposure_s=None)
        chosen = choose(unstated, LIGHT)
        assert numbers(chosen)[1] == 4
        assert "are taken as equal" in chosen.remarks[0]
        both = choose([*unstated, *files("dark", 2, 4)], replace(LIGHT, exposure_s=None))
        assert numbers(both)[1] == 4

    @pytest.mark.parametrize(
        ("kind", "trait", "reason"),
        [
            ("dark", {"shape": (10, 20)}, "20 x 10 pixels, the recording has 17 x 13"),
            ("bias", {"binning": (2.0, 2.0)}, "binning 2x2, the recording has 1x1"),
            ("dark", {"gain": "300"}, "gain 300, the recording has 100"),
            ("bias", {"offset": "50"}, "offset 50, the recording has 10"),
            ("flat", {"filter": "r"}, "filter r, the recording has v"),
        ],
    )
    def test_what_does_not_fit_is_said(self, kind: ImageType, trait: dict[str, Any], reason: str) -> None:
        chosen = choose(files(kind, 6, **trait), LIGHT)
        assert not chosen.any
        assert chosen.left_out == (f"6 {kind} frames: {reason}",)
        assert numbers(choose(files(kind, 6, **trait) + files(kind, 2, 6), LIGHT)) != (0, 0, [])

    def test_what_is_not_stated_fits(self) -> None:
        bare: dict[str, Any] = {"binning": None, "gain": None, "offset": None, "filter": None}
        assert numbers(choose(files("bias", 2, **bare) + files("flat", 3, **bare), LIGHT)) == (2, 0, [3])
        assert numbers(choose(files("flat", 3, gain="1", offset="2"), LIGHT)) == (0, 0, [3])

    def test_flats_with_their_own_darks(self) -> None:
        twilight = [f for k in range(4) for f in files("flat", 1, 10 + k, exposure_s=1.5**k)]
        mixed = [
            *files("flat", 6, exposure_s=5.0),
            *twilight,
            *files("dark", 3, exposure_s=5.0),
            *files("dark", 2, 3),
        ]
        chosen = choose(mixed, LIGHT)
        assert numbers(chosen) == (0, 2, [6, 4])
        assert [None if dark is None else len(dark.files) for dark in chosen.flat_darks] == [3, None]
        assert chosen.flats[1].text == "4 flat frames"
        assert not chosen.left_out

    def test_darks_of_another_temperature(self) -> None:
        chosen = choose(files("dark", 3, temperature_c=5.0), LIGHT)
        assert chosen.remarks == ("the darks were taken at 5 C, the recording at -10 C",)
        assert not choose(files("dark", 3, temperature_c=-8.0), LIGHT).remarks

    def test_a_cube_stays_alone(self) -> None:
        chosen = choose([*files("dark", 1, cube=True), *files("dark", 3, 1)], LIGHT)
        assert numbers(chosen)[1] == 1
        biases = choose([*files("bias", 1, cube=True), *files("bias", 3, 1)], LIGHT)
        assert numbers(biases)[0] == 3
        assert biases.left_out == ("1 bias frame: another group is larger",)
