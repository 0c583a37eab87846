"""Zarr groups on the disk. Zarr is imported on use: it takes as long as all else that reads a recording."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import zarr


def create_group(path: Path) -> "zarr.Group":
    """Make an empty group of a folder."""
    import zarr
    from zarr.storage import LocalStore

    return zarr.create_group(LocalStore(path))


def open_group(path: Path, mode: Literal["r", "r+"] = "r") -> "zarr.Group":
    """Open the group of a folder. Raises what Zarr does."""
    import zarr
    from zarr.storage import LocalStore

    return zarr.open_group(LocalStore(path), mode=mode)
