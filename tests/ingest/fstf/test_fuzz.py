"""2,000 damaged files of every version, layout and compression: frames or one clear error."""

from dataclasses import replace
from pathlib import Path

from ingest.formats import open_source
from tests.contracts.sources import collect
from tests.fuzzing import COUNT, endure, mutations
from tests.ingest.fstf.test_source import NOSIGNS, SIGNED, pictures, recording, write
from tests.ingest.fstf.writer import Layout, Recording, Value

STATUS = {
    "Gain": "real",
    "AlmanacStatus": "u8",
    "IntegratedFrames": "u16",
    "SystemTime": "u64",
    "Error": "text",
}
LAYOUTS = [
    Layout(bits=16),
    Layout(bits=16, checksum="zlib"),
    Layout(compression="QUICKLZ", bits=16, checksum="format"),
    Layout(compression="LAGARITH16", bits=16),
    Layout("12BIT-IMAGE-PACKED", bits=12),
    Layout("12BIT-IMAGE-PACKED", "QUICKLZ", 12),
    Layout("12BIT-IMAGE-PACKED", "LAGARITH16", 12),
    Layout(bits=8),
]
DIFFERENCES = [
    Layout(SIGNED, "QUICKLZ", 8, base="PREV-FRAME", trailer=True),
    Layout(NOSIGNS, "LAGARITH16", 8, base="KEY-FRAME", copy=True),
    Layout(SIGNED, "UNCOMPRESSED", 16, base="PREV-FRAME"),
    Layout("STATUS-CHANNEL-ONLY", bits=8),
]


def small(layouts: list[Layout], tags: dict[str, str] | None = None) -> Recording:
    frames = pictures(min(layout.bits for layout in layouts), 6, 6, 8)
    made = recording(frames, dict(enumerate(layouts, 1)), status_types=STATUS, key_every=3)
    values: dict[str, Value] = {
        "Gain": 2.5,
        "AlmanacStatus": 1,
        "IntegratedFrames": 8,
        "SystemTime": 10**12,
        "Error": "none",
    }
    said = [replace(frame, status=values) for frame in made.frames]
    return replace(made, frames=said, tags=tags or made.tags)


def test_mutated_files_end_in_frames_or_in_a_clear_error(tmp_path: Path) -> None:
    analogue = {"FSTF-TYPE": "AAV", "AAV-VERSION": "1"}
    wholes = []
    for version in (1, 2):
        for layouts in ([one] for one in LAYOUTS):
            wholes.append(write(tmp_path / "whole", version, small(layouts)).read_bytes())
        wholes.append(write(tmp_path / "whole", version, small(LAYOUTS, tags=analogue)).read_bytes())
    for layouts in [*([one] for one in DIFFERENCES[:3]), DIFFERENCES[:2]]:
        wholes.append(write(tmp_path / "whole", 1, small(layouts, tags=analogue)).read_bytes())

    def read(path: Path) -> None:
        source = open_source(path)
        try:
            assert collect(source, 4).shape == source.info.shape
            assert source.times.mid_ns.shape == (source.info.frames,)
        finally:
            source.close()

    for whole in wholes:  # compiles what decodes them, which is not to be timed
        (tmp_path / "whole.adv").write_bytes(whole)
        read(tmp_path / "whole.adv")
    outcomes = endure(tmp_path / "damaged.adv", mutations(wholes, COUNT, 900), read, "fstf")
    assert outcomes["read"] > COUNT // 10
    assert outcomes["DataError"] > COUNT // 10
