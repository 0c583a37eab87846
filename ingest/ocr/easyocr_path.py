"""The same recogniser driven by EasyOCR, where the extra ``ocr`` is installed.

EasyOCR takes networks of its users: a description, a module with a class `Model`, and weights. They are
written here from the shipped weights, into a folder that lasts as long as the reader; nothing is
downloaded. EasyOCR's own ways are kept to: its loader strips seven characters of every key, and reads
pictures as -1 to 1.
"""

import importlib.util
import json
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingest.ocr.crop import HEIGHT, MULTIPLE
from ingest.ocr.network import CLASSES, STRIDE, read_weights
from reduction.errors import ResourceError

NAME = "ingest_ocr_torch_network"
MODULE = "from ingest.ocr.torch_network import Model\n"
BATCH = 32


def is_installed() -> bool:
    """Whether EasyOCR and what it runs on are there."""
    return all(_is_there(name) for name in ("easyocr", "torch", "torchvision"))


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # kept out of this process
        return False


class EasyOcr:
    """EasyOCR with the recogniser of this program.

    Raises
    ------
    ResourceError
        EasyOCR is not installed.
    """

    def __init__(self) -> None:
        if not is_installed():
            raise ResourceError("EasyOCR is not installed: pip install 'umbra-occultation[ocr]'")
        self._reader = _reader()

    def texts(self, pictures: NDArray[np.uint8]) -> list[str]:
        """The signs of each line, as `easyocr.recognition.get_text` gives them.

        Parameters
        ----------
        pictures : array, (n, 16, width), uint8
            From `ingest.ocr.crop.normalise`.
        """
        from easyocr.recognition import get_text

        width = pictures.shape[2]
        boxes = [((k, 0), np.ascontiguousarray(picture)) for k, picture in enumerate(pictures)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries about each other
            found = get_text(
                self._reader.character,
                HEIGHT,
                -(-width // MULTIPLE) * MULTIPLE,
                self._reader.recognizer,
                self._reader.converter,
                boxes,
                batch_size=BATCH,
                contrast_ths=0.0,  # no second look at lines with stretched contrast
                workers=0,
                device="cpu",
            )
        return [text for _, text, _ in found]

    def columns(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Log-probability of each class at each column, ``(n, width // 2, 14)``, from EasyOCR's network."""
        import torch

        out = np.empty((pictures.shape[0], pictures.shape[2] // STRIDE, len(CLASSES)), np.float32)
        with torch.inference_mode():
            for first in range(0, len(pictures), BATCH):
                part = torch.from_numpy(np.ascontiguousarray(pictures[first : first + BATCH]))
                scaled = part[:, None].float().div_(255.0).sub_(0.5).div_(0.5)
                found = torch.log_softmax(self._reader.recognizer(scaled, None), dim=2)
                out[first : first + BATCH] = found.numpy()
        return out


def _reader() -> Any:
    """A reader of EasyOCR with the network; its files are gone once it is loaded."""
    import torch

    _mend_torchvision()
    import easyocr

    from ingest.ocr import torch_network

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="umbra-ocr-") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of libraries about each other
        place = Path(folder)
        described = {
            "imgH": HEIGHT,
            "lang_list": ["en"],
            "character_list": CLASSES[1:],
            "network_params": {},
        }
        (place / f"{NAME}.yaml").write_text(json.dumps(described), encoding="utf-8")
        (place / f"{NAME}.py").write_text(MODULE, encoding="utf-8")
        torch.save(torch_network.state(read_weights()), place / f"{NAME}.pth")
        try:
            return easyocr.Reader(
                ["en"],
                gpu=False,
                detector=False,
                recog_network=NAME,
                model_storage_directory=folder,
                user_network_directory=folder,
                download_enabled=False,
                verbose=False,
                quantize=False,
            )
        finally:
            while folder in sys.path:
                sys.path.remove(folder)
            sys.modules.pop(NAME, None)


_defined: list[Any] = []


def _mend_torchvision() -> None:
    """Define two operators that torchvision looks for on import, where a CPU build of torch lacks them."""
    import torch

    fragment: Any = torch.library.Library  # which torch leaves without types
    library: Any = None
    for name, schema in (
        ("nms", "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"),
        ("qnms", "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"),
    ):
        try:
            torch._C._dispatch_find_schema_or_throw(f"torchvision::{name}", "")
        except RuntimeError:
            library = library or fragment("torchvision", "FRAGMENT")
            library.define(schema)
    if library is not None:
        _defined.append(library)  # what it defines lasts as long as it does
