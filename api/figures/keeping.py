"""Figures as they arrive: read by a limited process, and kept in the store."""

import json
import os
import subprocess
import sys
import tempfile
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path

from api.uploads.examining import KEPT, PACKAGES
from cluster.store.published import ObjectStore
from cluster.store.records import Raw
from cluster.store.transfer import digest_of
from reduction.errors import RequestError, ResourceError

AT_ONCE = threading.BoundedSemaphore(2)
"""Processes that read pictures; the others wait for theirs."""
LONGEST_S = 180.0
STARTS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")
"""Of PNG, JPEG and WebP: for anything else no process is started."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that is in the store."""

    media: str
    width: int
    height: int
    raw: Raw
    crc32: int


def kept(data: bytes, store: ObjectStore) -> Picture:
    """Read a picture in a process of its own, and keep its pixels, encoded anew.

    Raises
    ------
    RequestError
        It is none that can be shown.
    ResourceError
        The process cannot be started, or the store fails.
    """
    if not data.startswith(STARTS):
        raise RequestError("picture: is no PNG, JPEG or WebP; send it as one of these")
    line, _, content = _said(data).partition(b"\n")
    try:
        told = json.loads(line)
    except ValueError:
        raise RequestError("picture: cannot be read in the time and memory that pictures have") from None
    if "message" in told:
        raise RequestError(f"picture: {told['message']}")
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        raw = store.put_raw(file.name, digest_of(Path(file.name)))
    return Picture(told["media"], told["width"], told["height"], raw, zlib.crc32(content))


def _said(data: bytes) -> bytes:
    """What the process says of a picture."""
    known = {key: value for key, value in os.environ.items() if key in KEPT}
    path = os.pathsep.join(filter(None, (str(PACKAGES), known.get("PYTHONPATH", ""))))
    words = [sys.executable, "-P", "-m", "api.figures.cleaning"]
    environment = {**known, "PYTHONPATH": path, "PYTHONUTF8": "1", "LC_ALL": "C.UTF-8"}
    with AT_ONCE:
        try:
            done = subprocess.run(
                words, input=data, capture_output=True, env=environment, timeout=LONGEST_S, check=False
            )
        except subprocess.TimeoutExpired:
            return b""
        except OSError as error:
            raise ResourceError(f"the process that reads pictures cannot be started: {error}") from error
    return done.stdout
