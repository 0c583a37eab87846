"""Static files and islands: read at their first use, gzipped, at addresses that change with their content."""

import gzip
import hashlib
import json
import threading
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from fastapi import Path as PathOf
from fastapi import Request, Response

from api.access.matrix import Operation
from api.access.permit import Permit, may
from api.conditional import matches
from api.problems import RefusedError
from api.web.routes import page_router

ROOT = Path(str(files("api.web")))
MEDIA = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".webmanifest": "application/manifest+json",
    }
)
PACKED = frozenset({".png"})
"""What does not get smaller."""
ISLANDS = MappingProxyType(
    {
        "htmx.js": "htmx.org/dist/htmx.min.js",
        "tus.js": "tus-js-client/dist/tus.min.js",
        "uplot.js": "uplot/dist/uPlot.esm.js",
        "uplot.css": "uplot/dist/uPlot.min.css",
        "leaflet.js": "leaflet/dist/leaflet.js",
        "leaflet.css": "leaflet/dist/leaflet.css",
        "images/layers.png": "leaflet/dist/images/layers.png",
        "images/layers-2x.png": "leaflet/dist/images/layers-2x.png",
        "images/marker-icon.png": "leaflet/dist/images/marker-icon.png",
        "images/marker-icon-2x.png": "leaflet/dist/images/marker-icon-2x.png",
        "images/marker-shadow.png": "leaflet/dist/images/marker-shadow.png",
        "topojson.js": "topojson-client/dist/topojson-client.min.js",
        "land-110m.json": "world-atlas/land-110m.json",
        "land-50m.json": "world-atlas/land-50m.json",
        "countries-110m.json": "world-atlas/countries-110m.json",
    }
)
"""Name below ``/static/EDITION/islands/`` -> file of the npm packages in `islands/node_modules`."""
FOR_EVER = "public, max-age=31536000, immutable"
SMALLEST = 512
"""Bytes below which gzip is not worth it."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is sent.

    Attributes
    ----------
    packed : bytes or None
        Gzipped; None where that is not smaller.
    """

    plain: bytes
    packed: bytes | None
    media: str
    digest: str


class Assets:
    """Files of `static/`, and islands where npm has put them. Safe for threads.

    Parameters
    ----------
    root : Path
        Folder with `static` and `islands`.
    """

    def __init__(self, root: Path = ROOT) -> None:
        self._modules = root / "islands" / "node_modules"
        static = root / "static"
        self._files = {
            path.relative_to(static).as_posix(): path
            for path in sorted(static.rglob("*"))
            if path.is_file() and path.suffix in MEDIA
        }
        self.missing = tuple(name for name, file in ISLANDS.items() if not (self._modules / file).is_file())
        """Islands that are not installed."""
        self._files |= {
            f"islands/{name}": self._modules / file
            for name, file in ISLANDS.items()
            if name not in self.missing
        }
        self._read: dict[str, Asset] = {}
        self._lock = threading.Lock()

    @cached_property
    def edition(self) -> str:
        """Digest of all files, part of every address: a file that imports another gets its like."""
        facts = {name: _stamp(path, name) for name, path in self._files.items()}
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]

    def has(self, name: str) -> bool:
        """Whether there is such a file."""
        return name in self._files

    def address(self, name: str) -> str:
        """Address of a file.

        Raises
        ------
        KeyError
            There is none of that name: a fault of a template.
        """
        if name not in self._files:
            raise KeyError(f"no static file {name!r}")
        return f"/static/{self.edition}/{name}"

    def island(self, name: str) -> str | None:
        """Address of an island; None: it is not installed."""
        if name not in ISLANDS:
            raise KeyError(f"no island {name!r}")
        return None if name in self.missing else self.address(f"islands/{name}")

    def get(self, name: str) -> Asset | None:
        """A file, ready to be sent."""
        if name not in self._files:
            return None
        with self._lock:
            if name not in self._read:
                self._read[name] = _asset(self._files[name])
            return self._read[name]


def _stamp(path: Path, name: str) -> str:
    """What tells a file from another of its name: our own by content, islands by size."""
    if name.startswith("islands/"):
        return f"{path.stat().st_size}"
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _asset(path: Path) -> Asset:
    plain = path.read_bytes()
    packed: bytes | None = None
    if path.suffix not in PACKED and len(plain) >= SMALLEST:
        packed = gzip.compress(plain, compresslevel=9, mtime=0)
        if len(packed) >= len(plain):
            packed = None
    return Asset(plain, packed, MEDIA[path.suffix], hashlib.sha256(plain).hexdigest())


router = page_router()


@router.get("/static/{edition}/{name:path}")
def static(
    edition: Annotated[str, PathOf(max_length=16)],
    name: Annotated[str, PathOf(max_length=200)],
    request: Request,
    permit: Annotated[Permit, may(Operation.SEE_PAGES)],
) -> Response:
    """Return a static file, gzipped for who takes it."""
    del permit
    assets: Assets = request.app.state.portal.assets
    asset = assets.get(name)
    if asset is None:
        raise RefusedError(404, "no such file")
    packed = asset.packed is not None and "gzip" in request.headers.get("accept-encoding", "")
    etag = f'"{asset.digest[:32]}{"-gz" if packed else ""}"'
    headers = {
        "ETag": etag,
        "Vary": "Accept-Encoding",
        # a page of before an upgrade gets what there is now, and asks again
        "Cache-Control": FOR_EVER if edition == assets.edition else "no-cache",
    }
    if matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    if packed and asset.packed is not None:
        headers["Content-Encoding"] = "gzip"
        return Response(asset.packed, media_type=asset.media, headers=headers)
    return Response(asset.plain, media_type=asset.media, headers=headers)
