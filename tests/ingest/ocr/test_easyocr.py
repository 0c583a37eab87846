"""EasyOCR with this program's recogniser: the same text, the same times, and nothing downloaded."""

import socket
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from bench.inserters import Recording, Scene
from bench.vti import DATE
from ingest.burnt_in import read_burnt_in
from ingest.ocr.crop import normalise
from ingest.ocr.find import find_lines
from ingest.ocr.network import recogniser, texts
from ingest.ocr.options import vti_options
from tests.ingest.ocr.strips import FOLDERS, recording
from tests.requirements import require

require("ocr")

from ingest.ocr.easyocr_path import EasyOcr  # noqa: E402  # after the check that it is there


@pytest.fixture(scope="module")
def easyocr() -> EasyOcr:
    with pytest.MonkeyPatch.context() as patch:

        def refuse(*_: Any, **__: Any) -> None:
            raise AssertionError("EasyOCR opens a connection")

        patch.setattr(socket.socket, "connect", refuse)
        return EasyOcr()


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_real_strips_give_equal_text(folder: str, easyocr: EasyOcr) -> None:
    strips = recording(folder)
    fields = np.concatenate([strips.even, strips.odd])
    pictures = normalise(fields, find_lines(fields, recogniser())[0].crop)
    own = recogniser().columns(pictures)
    assert easyocr.texts(pictures) == texts(own)
    np.testing.assert_allclose(easyocr.columns(pictures), own, atol=1e-3)


def test_noise_and_narrow_pictures_give_equal_text(easyocr: EasyOcr) -> None:
    rng = np.random.default_rng(4)
    for width in (16, 64, 240):
        pictures = (255 * rng.random((20, 16, width)) ** 3).astype(np.uint8)
        assert easyocr.texts(pictures) == texts(recogniser().columns(pictures))


def test_a_recording_gets_equal_times() -> None:
    recording = Recording(Scene(model="kiwi", frames=16, noise=20))
    found = []
    for reader in ("builtin", "easyocr"):
        vti = vti_options("auto", DATE, reader)
        assert vti is not None
        found.append(read_burnt_in(recording, vti))
    np.testing.assert_array_equal(found[0].stamps.stamp_ns, found[1].stamps.stamp_ns)
    np.testing.assert_array_equal(found[0].repaired, found[1].repaired)


def test_without_torch_a_recording_still_gets_its_times() -> None:
    code = f"""
import sys
for name in ("torch", "torchvision", "easyocr", "cv2"):
    sys.modules[name] = None
from bench.vti import outcome
from bench.inserters import Scene
assert outcome(Scene(frames=12)).exact == 1.0
from ingest.burnt_in import read_burnt_in
from ingest.ocr.options import vti_options
from bench.inserters import Recording
from reduction.errors import ResourceError
try:
    read_burnt_in(Recording(Scene(frames=12)), vti_options("auto", {DATE!r}, "easyocr"))
except ResourceError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "EasyOCR is not installed" in done.stdout
