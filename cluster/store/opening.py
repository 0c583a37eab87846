"""Opening a store by its URL."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from cluster.store.local import LocalObjects
from cluster.store.objects import MissingError, Objects
from cluster.store.published import ObjectStore
from cluster.store.records import Mark
from cluster.store.upkeep import MARK
from reduction.errors import DataError, RequestError, ResourceError


def open_store(url: str | Path, make: bool = True) -> ObjectStore:
    """Open a store.

    Parameters
    ----------
    url : str or Path
        A folder, or ``file:///FOLDER``; or ``s3://BUCKET/PREFIX``, with the options of
        `cluster.store.s3.open_s3`.
    make : bool
        Begin a new store where there is none.

    Raises
    ------
    RequestError
        It is no such URL; or there is no store, and `make` is false or something else is there.
    DataError
        It is of another version of Umbra.
    ResourceError
        The disk or the server fails.
    """
    objects = objects_at(str(url))
    where = f"{objects.url}: {MARK}"
    if not _marked(objects, where):
        if not make:
            raise RequestError(f"{objects.url}: there is no store; see to the URL")
        # looked at again: another may have begun the same store meanwhile
        if next(iter(objects.entries("")), None) is not None and not _marked(objects, where):
            raise RequestError(
                f"{objects.url}: holds something, and is no store; name a new folder or prefix"
            )
        if not objects.create(MARK, Mark().encoded()):
            raise DataError(f"{where}: is of another version of Umbra; use that")
        if objects.create(MARK, b"is there a second one?"):
            objects.delete([MARK])
            raise ResourceError(
                f"{objects.url}: the server writes over what it is asked to create (ignores If-None-Match): "
                "results could be published twice; use another server"
            )
    return ObjectStore(objects)


def _marked(objects: Objects, where: str) -> bool:
    try:
        Mark.decoded(objects.get(MARK), where)
    except MissingError:
        return False
    return True


def objects_at(url: str) -> Objects:
    """Objects at a URL, whether there is a store or not; raises `RequestError` as `open_store`."""
    if "://" not in url:
        return LocalObjects(Path(url).absolute())
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in {"", "localhost"} and not (parts.query or parts.fragment):
        return LocalObjects(Path(unquote(parts.path)))
    if parts.scheme == "s3":
        from cluster.store.s3 import open_s3

        return open_s3(url)
    raise RequestError(f"{url!r}: is no store; give a folder, file:///FOLDER or s3://BUCKET/PREFIX")
