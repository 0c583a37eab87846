"""Pictures of every kind that is read, damaged and whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from ingest.formats import open_in_place, open_source
from ingest.images.source import PictureStack
from ingest.timeoptions import TimeOptions
from reduction.caveats import Caveat
from reduction.errors import DataError
from tests.contracts.sources import Recording, StackContract, collect
from tests.fuzzing import COUNT, endure, mutations
from tests.ingest.picture_writer import (
    bmp_bytes,
    exif_block,
    exif_tags,
    png_bytes,
    tiff_bytes,
    write_folder,
)
from tests.ingest.ser_writer import starry, utc_ns, write_ser

N = 11


def grey(top: int) -> NDArray[Any]:
    return starry(N, 13, 17, sky=top / 12, peak=top / 2, top=top)


def coloured(top: int) -> NDArray[Any]:
    return np.stack(
        [starry(N, 13, 17, sky=top / 9, peak=top / (2 + k), top=top, seed=k) for k in range(3)], axis=1
    )


def last(frames: NDArray[Any]) -> NDArray[Any]:
    """Colours behind the pixels, as files have them."""
    return np.moveaxis(frames, 1, -1) if frames.ndim == 4 else frames


def opened(inputs: Path | list[Path], times: TimeOptions | None = None) -> PictureStack:
    stack = open_in_place(inputs, times)
    assert isinstance(stack, PictureStack)
    return stack


def caveats(stack: PictureStack) -> set[Caveat]:
    return {note.caveat for note in (*stack.info.notes, *stack.times.notes)}


Pack = Callable[[NDArray[Any]], bytes]
KINDS: dict[str, tuple[str, NDArray[Any], Pack]] = {
    "png 8": (".png", grey(255), png_bytes),
    "png 16": (".png", grey(65535), png_bytes),
    "png 8 colour": (".png", coloured(255), lambda p: png_bytes(p, split=3)),
    "png 16 colour": (".png", coloured(65535), png_bytes),
    "png 16 colour alpha": (".png", coloured(65535), lambda p: png_bytes(p, alpha=True)),
    "png grey alpha": (".png", grey(255), lambda p: png_bytes(p, alpha=True)),
    "tiff 8": (".tif", grey(255), lambda p: tiff_bytes([p])),
    "tiff 16 big": (".tiff", grey(65535), lambda p: tiff_bytes([p], order=">", strips=3)),
    "tiff 16 deflate": (".tif", grey(65535), lambda p: tiff_bytes([p], strips=2, packing=8)),
    "tiff 16 colour": (".tif", coloured(65535), lambda p: tiff_bytes([p])),
    "tiff 8 colour deflate": (".tif", coloured(255), lambda p: tiff_bytes([p], packing=8)),
    "tiff float": (".tif", grey(65535).astype(np.float32) / 7, lambda p: tiff_bytes([p])),
    "bmp 8": (".bmp", grey(255), bmp_bytes),
    "bmp 24": (".bmp", coloured(255), bmp_bytes),
    "bmp 32 down": (".bmp", coloured(255), lambda p: bmp_bytes(p, bits=32, down=True)),
}


@pytest.mark.parametrize("kind", KINDS)
class TestFolder(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path, kind: str) -> Recording:
        suffix, frames, pack = KINDS[kind]
        folder = write_folder(tmp_path / "night", [pack(picture) for picture in last(frames)], suffix)
        return Recording([folder], "images", frames, None, "rgb" if frames.ndim == 4 else "mono")


class TestPages(StackContract):
    @pytest.fixture(params=[(1, "<", False), (8, ">", False), (1, "<", True)])
    def recording(self, tmp_path: Path, request: pytest.FixtureRequest) -> Recording:
        packing, order, colour = request.param
        frames = coloured(65535) if colour else grey(65535)
        path = tmp_path / "pages.tif"
        path.write_bytes(tiff_bytes(list(last(frames)), packing=packing, order=order, strips=2))
        return Recording([path], "images", frames, None, "rgb" if colour else "mono")


class TestNamesWithTimes(StackContract):
    @pytest.fixture
    def recording(self, tmp_path: Path) -> Recording:
        starts = [utc_ns("2026-03-01T23:59:59") + k * 200_000_000 for k in range(N)]
        names = [f"cap_{np.datetime64(ns, 'ns')!s}Z".replace(":", "-") for ns in starts]
        folder = write_folder(tmp_path / "night", [png_bytes(p) for p in grey(255)], ".png", names)
        options = TimeOptions(meaning="mid")
        return Recording([folder], "images", grey(255), np.array(starts), options=options)


@given(
    st.integers(1, 9),
    st.integers(1, 12),
    st.booleans(),
    st.booleans(),
    st.text("01234", min_size=1, max_size=9),
    st.integers(0, 2**31),
)
@settings(max_examples=60, deadline=None)
def test_png_of_any_size_and_filters_against_pillow(
    tmp_path_factory: pytest.TempPathFactory,
    height: int,
    width: int,
    deep: bool,
    colour: bool,
    kinds: str,
    seed: int,
) -> None:
    kind = np.uint16 if deep else np.uint8
    shape = (height, width, 3) if colour else (height, width)
    picture = np.random.default_rng(seed).integers(0, np.iinfo(kind).max + 1, shape).astype(kind)
    path = tmp_path_factory.mktemp("p") / "a.png"
    path.write_bytes(png_bytes(picture, kinds=kinds))
    found = opened(path).read(0, 1)[0]
    np.testing.assert_array_equal(np.moveaxis(found, 0, -1) if colour else found, picture)
    if not (deep and colour):  # which Pillow cuts to eight bits
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), picture)


@pytest.mark.parametrize(
    "compression", [None, "zlib", "packbits", "lzw", "tiled", "predictor", "imagej", "bigtiff"]
)
@pytest.mark.parametrize("top", [255, 65535])
@pytest.mark.parametrize("colour", [False, True])
def test_files_of_other_writers(tmp_path: Path, compression: str | None, top: int, colour: bool) -> None:
    frames = coloured(top) if colour else grey(top)
    path = tmp_path / "a.tif"
    pages = [last(frames)[k] for k in range(3)]
    if compression in {"packbits", "lzw"}:
        if top > 255 and colour:
            pytest.skip("Pillow writes no 48-bit TIFF")
        images = [Image.fromarray(page) for page in pages]
        how = {"packbits": "packbits", "lzw": "tiff_lzw"}[compression]
        images[0].save(path, save_all=True, append_images=images[1:], compression=how)
    elif compression == "imagej":
        if colour and top > 255:
            pytest.skip("ImageJ keeps 16-bit colours as channels")
        tifffile.imwrite(path, np.stack(pages), imagej=True, metadata={"axes": "TYXS" if colour else "TYX"})
    else:
        with tifffile.TiffWriter(path, bigtiff=compression == "bigtiff") as file:
            for page in pages:
                file.write(
                    page,
                    photometric="rgb" if colour else "minisblack",
                    compression="zlib" if compression in {"zlib", "predictor"} else None,
                    tile=(16, 16) if compression == "tiled" else None,
                    metadata=None,
                )
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, 3), frames[:3])
    assert stack.info.frames == 3


@pytest.mark.parametrize(
    ("mode", "suffix"), [("P", ".png"), ("1", ".png"), ("P", ".tif"), ("P", ".bmp"), ("1", ".bmp")]
)
def test_palettes_and_bits_go_through_pillow(tmp_path: Path, mode: str, suffix: str) -> None:
    image = Image.fromarray(last(coloured(255))[0]).convert(mode)
    path = tmp_path / f"a{suffix}"
    image.save(path)
    found = opened(path).read(0, 1)[0]
    want = np.asarray(image.convert("RGB" if found.ndim == 3 else "L"))
    np.testing.assert_array_equal(np.moveaxis(found, 0, -1) if found.ndim == 3 else found, want)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("scene", ["noise", "sky", "black", "runs"])
def test_lzw_by_another_writer(tmp_path: Path, kind: type, colour: bool, scene: str) -> None:
    """OpenCV packs every TIFF with LZW and differences; Pillow would cut 16-bit colour to 8."""
    cv2 = pytest.importorskip("cv2")
    rng = np.random.default_rng(1)
    shape = (120, 90, 3) if colour else (120, 90)
    scenes: dict[str, NDArray[Any]] = {
        "noise": rng.integers(0, np.iinfo(kind).max, shape),
        "sky": rng.normal(90, 3, shape).round(),
        "black": np.zeros(shape),
        "runs": np.repeat(rng.integers(0, 255, (shape[0], 9, *shape[2:])), 10, axis=1),
    }
    picture: NDArray[Any] = scenes[scene].astype(kind)
    path = tmp_path / "a.tif"
    assert cv2.imwrite(str(path), picture[..., ::-1] if colour else picture)
    with tifffile.TiffFile(path) as file:
        assert int(file.pages[0].compression) == 5
    found = opened(path).read(0, 1)[0]
    np.testing.assert_array_equal(np.moveaxis(found, 0, -1) if colour else found, picture)


def test_zero_may_be_white(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(tiff_bytes([65535 - grey(65535)[0]], photometric=0))
    stack = opened(path)
    np.testing.assert_array_equal(stack.read(0, 1)[0], grey(65535)[0])
    assert "turned round" in stack.info.metadata["scaling"]


def test_previews_are_no_frames(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        for page in grey(65535)[:2]:
            file.write(page, metadata=None)
            file.write(page[::4, ::4], subfiletype=1, metadata=None)
    np.testing.assert_array_equal(opened(path).read(0, 2), grey(65535)[:2])


def test_significant_bits(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(png_bytes(grey(4095)[0], sbit=12))
    assert opened(path).info.bit_depth == 12


class TestWhichFiles:
    def test_natural_order_and_globs(self, tmp_path: Path) -> None:
        pictures = [png_bytes(p) for p in grey(255)]
        folder = write_folder(tmp_path / "night", pictures, ".png", [f"x{k}" for k in range(N)])
        (folder / "notes.txt").write_text("clear")
        np.testing.assert_array_equal(opened(folder).read(0, N), grey(255))
        np.testing.assert_array_equal(opened(Path(f"{folder}/x1*.png")).read(0, 2), grey(255)[[1, 10]])
        assert opened(folder).info.name == "night"

    def test_the_most_frequent_format_of_a_folder(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "night", [tiff_bytes([p]) for p in grey(65535)], ".tif")
        (folder / "a_preview.png").write_bytes(png_bytes(grey(255)[0]))
        stack = opened(folder)
        np.testing.assert_array_equal(stack.read(0, N), grey(65535))
        assert caveats(stack) == {Caveat.FRAMES_EXCLUDED, Caveat.TIMES_ABSENT}

    def test_a_finder_chart_beside_a_recording_is_none(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "night", [png_bytes(grey(255)[0])], ".png")
        assert opened(folder).info.frames == 1
        write_ser(folder / "a.ser", grey(255))
        with pytest.raises(DataError, match="night: a folder without a recording"):
            open_source(folder)

    def test_an_odd_one_is_refused_by_name(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "night", [png_bytes(p) for p in grey(255)], ".png")
        (folder / "a3.png").write_bytes(png_bytes(grey(255)[0][:9]))
        with pytest.raises(DataError, match=r"a3\.png: 17 x 9 uint8, but a0\.png is 17 x 13 uint8"):
            opened(folder)
        (folder / "a3.png").write_bytes(png_bytes(grey(65535)[0]))
        with pytest.raises(DataError, match=r"a3\.png: 17 x 13 uint16"):
            opened(folder)

    def test_one_that_is_no_picture_is_refused_by_name(self, tmp_path: Path) -> None:
        folder = write_folder(tmp_path / "night", [png_bytes(p) for p in grey(255)], ".png")
        (folder / "a3.png").write_bytes(b"")
        with pytest.raises(DataError, match=r"a3\.png"):
            opened(folder)
        (tmp_path / "b.txt").write_text("clear")
        with pytest.raises(DataError, match=r"b\.txt: no PNG"):
            opened([folder / "a1.png", tmp_path / "b.txt"])

    @pytest.mark.parametrize("kind", ["png 16", "tiff 16 deflate", "tiff 8", "bmp 24"])
    def test_a_last_one_that_is_cut_off_is_left_out(self, tmp_path: Path, kind: str) -> None:
        suffix, frames, pack = KINDS[kind]
        contents = [pack(picture) for picture in last(frames)]
        contents[-1] = contents[-1][: len(contents[-1]) * 2 // 3]
        folder = write_folder(tmp_path / "night", contents, suffix)
        if kind == "tiff 16 deflate":
            contents[-1] = contents[-1][:100]
            write_folder(tmp_path / "again", contents, suffix)
            folder = tmp_path / "again"
        stack = opened(folder)
        np.testing.assert_array_equal(stack.read(0, N - 1), frames[:-1])
        assert stack.info.frames == N - 1
        assert Caveat.FILE_TRUNCATED in caveats(stack)

    def test_pages_behind_a_cut_are_left_out(self, tmp_path: Path) -> None:
        path = tmp_path / "a.tif"
        whole = tiff_bytes(list(grey(65535)))
        path.write_bytes(whole[: len(whole) * 7 // 10])
        stack = opened(path)
        assert 4 < stack.info.frames < N
        np.testing.assert_array_equal(stack.read(0, stack.info.frames), grey(65535)[: stack.info.frames])
        assert Caveat.FILE_TRUNCATED in caveats(stack)


class TestTimes:
    def folder(self, path: Path, names: list[str], **more: Any) -> PictureStack:
        pictures = [png_bytes(p, **more) for p in grey(255)[: len(names)]]
        return opened(write_folder(path / "night", pictures, ".png", names))

    @pytest.mark.parametrize(
        "name",
        [
            "2026-03-01T21-30-0{}.250Z",
            "cap_20260301_21300{}_250Z_x",
            "20260301T21300{}.250Z",
            "M31 2026-03-01 21_30_0{}.250UTC",
            "2026_03_01_21-30-0{}.250Z_00017",
        ],
    )
    def test_names_that_say_utc(self, tmp_path: Path, name: str) -> None:
        stack = self.folder(tmp_path, [name.format(k) for k in range(4)])
        start = utc_ns("2026-03-01T21:30:00") + 250_000_000
        np.testing.assert_array_equal(stack.times.mid_ns, start + np.arange(4) * 1_000_000_000)
        assert {Caveat.TIME_MEANING_ASSUMED, Caveat.EXPOSURE_ASSUMED} <= caveats(stack)
        assert stack.times.source == "UTC in the file names"

    @pytest.mark.parametrize(
        "name",
        [
            "2026-03-01T21-30-0{}.250",
            "frame_{}",
            "20260301_21300{}_250",
            "2026-13-01T21-30-0{}Z",
            "12345678Z{}",
        ],
    )
    def test_names_that_do_not(self, tmp_path: Path, name: str) -> None:
        stack = self.folder(tmp_path, [name.format(k) for k in range(4)])
        assert not stack.times.known.any()
        assert Caveat.TIMES_ABSENT in caveats(stack)

    def test_names_must_all_say_it(self, tmp_path: Path) -> None:
        stack = self.folder(tmp_path, ["2026-03-01T21-30-00.250Z", "2026-03-01T21-30-01.250Z", "other"])
        assert not stack.times.known.any()
        assert any("not in every name" in note.message for note in stack.times.notes)

    def test_winjupos(self, tmp_path: Path) -> None:
        stack = self.folder(tmp_path, [f"2026-03-01-2130_{k}-Vesta" for k in range(4)])
        assert stack.times.mid_ns[3] == utc_ns("2026-03-01T21:30:18")
        assert stack.times.sigma_s.min() >= 3

    @pytest.mark.parametrize("order", ["<", ">"])
    @pytest.mark.parametrize("kind", ["png", "tiff"])
    def test_exif_with_its_offset_is_utc(self, tmp_path: Path, order: Literal["<", ">"], kind: str) -> None:
        contents = []
        for k, picture in enumerate(grey(255)[:4]):
            tags = exif_tags(f"2026:03:01 22:30:0{k}", "25", "+01:00", (1, 4))
            contents.append(
                png_bytes(picture, exif=exif_block(tags, order))
                if kind == "png"
                else tiff_bytes([picture], exif=tags, order=order)
            )
        stack = opened(write_folder(tmp_path / "night", contents, f".{kind}"))
        start = utc_ns("2026-03-01T21:30:00") + 250_000_000
        np.testing.assert_array_equal(stack.times.mid_ns, start + np.arange(4) * 1_000_000_000)
        np.testing.assert_array_equal(stack.times.exposure_s, 0.25)
        assert stack.times.source == "EXIF DateTimeOriginal"

    def test_exif_without_an_offset_is_not(self, tmp_path: Path) -> None:
        stack = self.folder(tmp_path, list("abcd"), exif=exif_block(exif_tags("2026:03:01 22:30:00")))
        assert not stack.times.known.any()
        assert any("local times" in note.message for note in stack.times.notes)


class TestDamage:
    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"\x89PNG\r\n\x1a\n" + bytes(40), "damaged"),
            (png_bytes(grey(255)[0])[:60], "truncated"),
            (b"II*\0\xff\xff\xff\xff", "no whole page"),
            (b"II*\0\x08\0\0\0" + bytes(60), "no whole page"),
            (b"II-\0" + bytes(60), "not a recording"),
            (b"MM\0*\0\0\0\x08\xff\xff" + bytes(90), "no whole page"),
            (tiff_bytes([grey(255)[0]], photometric=5), "photometric 5"),
            (tiff_bytes([grey(255)[0]], packing=7), "compression 7"),
            (bmp_bytes(grey(255)[0])[:1100], "truncated"),
        ],
    )
    def test_one_clear_error(self, tmp_path: Path, content: bytes, says: str) -> None:
        path = tmp_path / "bad.png"
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"bad\.png: .*{says}"):
            collect(open_source(path), 3)

    def test_a_chain_of_pages_that_turns_back_ends(self, tmp_path: Path) -> None:
        data = bytearray(tiff_bytes([grey(255)[0]]))
        data[-4:] = data[4:8]
        path = tmp_path / "a.tif"
        at = int.from_bytes(data[4:8], "little")
        tags = int.from_bytes(data[at : at + 2], "little")
        data[at + 2 + 12 * tags : at + 6 + 12 * tags] = data[4:8]
        path.write_bytes(data)
        assert opened(path).info.frames == 1

    @pytest.mark.parametrize("side", [60_000, 2**31 - 1])
    @pytest.mark.parametrize("kind", ["png", "tiff", "bmp"])
    def test_bombs_are_refused_before_they_are_unpacked(self, tmp_path: Path, side: int, kind: str) -> None:
        import struct
        import zlib

        path = tmp_path / "bomb"
        picture = np.zeros((40, 40), np.uint8)
        if kind == "png":
            data = bytearray(png_bytes(picture))
            data[16:24] = struct.pack(">II", side, side)
            data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
        elif kind == "tiff":
            data = bytearray(tiff_bytes([picture], packing=8))
            for tag in (256, 257):
                at = data.find(struct.pack("<HHI", tag, 4, 1))
                data[at + 8 : at + 12] = struct.pack("<I", side)
        else:
            data = bytearray(bmp_bytes(picture))
            data[18:26] = struct.pack("<ii", side, side)
        path.write_bytes(data)
        with pytest.raises(DataError, match="bomb: "):
            opened(path)


def test_mutated_inputs_end_in_frames_or_in_a_clear_error(tmp_path: Path) -> None:
    small = grey(255)[0, :6, :8]
    wholes = [
        png_bytes(small, exif=exif_block(exif_tags("2026:03:01 22:30:00", "1", "Z", (1, 9)))),
        png_bytes(grey(65535)[0, :6, :8]),
        tiff_bytes([small, small], exif=exif_tags("2026:03:01 22:30:00", "1", "Z", (1, 9))),
        tiff_bytes([small, small], packing=8, order=">"),
        bmp_bytes(small)[:54] + bmp_bytes(small)[54:],
        bmp_bytes(last(coloured(255))[0, :6, :8]),
    ]
    palette = tmp_path / "p.png"
    Image.fromarray(last(coloured(255))[0, :6, :8]).convert("P").save(palette)
    wholes.append(palette.read_bytes())
    Image.fromarray(small).save(tmp_path / "l.tif", compression="tiff_lzw")
    wholes.append((tmp_path / "l.tif").read_bytes())

    def read(path: Path) -> None:
        source = open_source(path)
        try:
            assert collect(source, 3).shape == source.info.shape
        finally:
            source.close()

    outcomes = endure(tmp_path / "damaged.x", mutations(wholes, COUNT, 200), read, "images")
    assert outcomes["read"] > COUNT // 10
    assert outcomes["DataError"] > COUNT // 10
