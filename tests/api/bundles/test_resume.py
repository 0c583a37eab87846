"""A download from a service that is killed in the middle of it, and goes on where it was."""

import hashlib
import io
import os
import zipfile
from pathlib import Path

import httpx

from tests.requirements import require

require("server")

from api.database.migrate import migrate  # noqa: E402 - after the check for the extra
from api.database.transactions import Database  # noqa: E402
from cluster.store import open_store  # noqa: E402
from tests.api.access.world import make_world  # noqa: E402
from tests.api.results.things import uploaded  # noqa: E402
from tests.api.uploads.observer import key_for  # noqa: E402
from tests.api.uploads.served import Forged  # noqa: E402

MIB = 1 << 20
SIZES = (40 * MIB, 3 * MIB + 1, 21 * MIB)


def prepared(home: Path) -> tuple[Forged, str, list[str]]:
    """A service whose campaign has recordings: it, the campaign, their digests; its key is staff's."""
    home.mkdir(parents=True)
    served, found = Forged(home), []
    database = Database(served.database)
    migrate(database.engine)
    world, store = make_world(database), open_store(home / "store")
    for number, size in enumerate(SIZES):
        path = home.parent / f"{number}.ser"
        content = os.urandom(size)
        path.write_bytes(content)
        uploaded(world, store, path, world.strict["observation"])
        path.unlink()
        found.append(hashlib.sha256(content).hexdigest())
    served.key = key_for(database, world.people["staff"].id)
    database.close()
    return served, world.strict["campaign"], found


def download(url: str, headers: dict[str, str], into: bytearray, most: int) -> bool:
    """Read up to `most` bytes more; whether that was all."""
    with httpx.stream("GET", url, headers=headers, timeout=300) as answer:
        assert answer.status_code == (206 if "Range" in headers else 200), answer.read()
        for piece in answer.iter_raw(MIB):
            into += piece
            if len(into) >= most:
                return False
    return True


def test_a_download_outlives_the_service(tmp_path: Path) -> None:
    served, campaign, digests = prepared(tmp_path / "home")
    key = {"X-API-Key": served.key}
    try:
        served.start()
        asked = httpx.post(
            f"{served.url}/api/v1/campaigns/{campaign}/data-requests", json={}, headers=key, timeout=300
        )
        assert asked.status_code == 201, asked.text
        link, size, etag = (
            asked.json()["links"]["bundle"],
            asked.json()["size"],
            f'"{asked.json()["digest"]}"',
        )
        got = bytearray()
        ended = download(served.url + link, key, got, 10 * MIB)
        for most in (30 * MIB, 45 * MIB, size + 1):
            assert not ended
            served.restart()
            there = {**key, "Range": f"bytes={len(got)}-", "If-Range": etag}
            ended = download(served.url + link, there, got, most)
        assert ended
        assert len(got) == size
        with zipfile.ZipFile(io.BytesIO(got)) as read:
            assert read.testzip() is None
            there_are = {
                hashlib.sha256(read.read(name)).hexdigest()
                for name in read.namelist()
                if "recordings/" in name
            }
        assert there_are == set(digests)
    finally:
        served.close()
