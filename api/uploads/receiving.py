"""Bytes of uploads: to the disk, then into the database, then acknowledged."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread
from sqlalchemy import CursorResult, update
from starlette.requests import ClientDisconnect

from api.database.tables import now
from api.database.transactions import Database
from api.problems import RefusedError
from api.uploads.headers import Checksum
from api.uploads.parts import FullError, Part, part_of
from api.uploads.tables import ARRIVING, WHOLE, Arriving

BLOCK_BYTES = 1 << 20
SETTLED_BYTES = 16 << 20
"""After so many bytes of one request the database is told, so that a crash loses no more."""

IDLE_S = 30.0
"""Without a byte for so long, the connection is taken for dead, and the next writer let in."""

WRITERS = 8
"""Threads for uploads, beside those of all other routes: a slow disk holds up nobody else."""

Argument = ParamSpec("Argument")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Arrived:
    """How far an upload is."""

    received: int
    length: int
    expires: datetime

    @property
    def whole(self) -> bool:
        """Whether nothing is missing."""
        return self.received == self.length


@dataclass(slots=True)
class _Writer:
    """Somebody who writes to an upload."""

    upload: str
    part: Part
    length: int
    expires: datetime
    checksum: Checksum | None


class Receiving:
    """Takes the bytes of uploads.

    Parameters
    ----------
    database : Database
    folder : Path
        Of the files that arrive.
    days : int
        How long an upload waits for its next byte.
    reserve : int
        Bytes of the disk that stay free, for the database above all.
    whole : callable
        Called when an upload has all its bytes.
    table : type of Arriving
        Where it is kept how far uploads are.
    """

    def __init__(
        self,
        database: Database,
        folder: Path,
        days: int,
        reserve: int,
        whole: Callable[[], None],
        table: type[Arriving],
    ) -> None:
        self._database, self._folder, self._table = database, folder, table
        self._days, self._reserve, self._whole = days, reserve, whole
        self._threads = CapacityLimiter(WRITERS)

    def expiry(self) -> datetime:
        """Until when an upload is kept that nothing more comes for."""
        return now() + timedelta(days=self._days)

    def finished(self) -> None:
        """Tell that an upload has all its bytes."""
        self._whole()

    async def append(
        self,
        upload: str,
        offset: int,
        stream: AsyncIterator[bytes],
        size: int | None,
        checksum: Checksum | None,
    ) -> Arrived:
        """Take a body.

        Parameters
        ----------
        upload : str
            Id.
        offset : int
            Where the client goes on.
        stream : async iterator of bytes
            The body.
        size : int or None
            Its bytes, where the client says so.
        checksum : Checksum or None
            Then all of the body counts, or none.

        Raises
        ------
        RefusedError
            404, 408, 409, 410, 413, 423, 460 or 507.
        ResourceError
            The disk or the database fails; nothing is acknowledged that is not safe.
        """
        writer = await self._thread(self._enter, upload, offset, size, checksum)
        try:
            await self._take(writer, stream)
        finally:
            writer.part.close()
        arrived = Arrived(writer.part.settled, writer.length, writer.expires)
        if arrived.whole:
            self._whole()
        return arrived

    async def _take(self, writer: _Writer, stream: AsyncIterator[bytes]) -> None:
        try:
            await self._pump(writer, stream)
        except (ClientDisconnect, TimeoutError):
            await self._thread(self._settle, writer, True)
            raise RefusedError(408, "the connection broke off; ask for the offset and go on") from None
        except FullError:
            await self._thread(self._settle, writer, True)
            raise
        await self._thread(self._settle, writer, False)

    async def _pump(self, writer: _Writer, stream: AsyncIterator[bytes]) -> None:
        """Write a body to the disk, a block at a time."""
        waiting = bytearray()
        part = writer.part
        try:
            while (data := await _next(stream)) is not None:
                if part.written + len(waiting) + len(data) > writer.length:
                    raise _too_long(writer.length)
                waiting += data
                if len(waiting) >= BLOCK_BYTES:
                    block = bytes(waiting)
                    waiting.clear()
                    await self._thread(part.write, block, writer.checksum, self._reserve)
                    if writer.checksum is None and part.written - part.settled >= SETTLED_BYTES:
                        await self._thread(self._settle, writer, False)
        except (ClientDisconnect, TimeoutError):
            await self._thread(part.write, bytes(waiting), writer.checksum, self._reserve)
            raise
        await self._thread(part.write, bytes(waiting), writer.checksum, self._reserve)

    def _enter(self, upload: str, offset: int, size: int | None, checksum: Checksum | None) -> _Writer:
        """Become the writer of an upload; its row is read only then."""
        with self._database.reading() as session:
            if session.get(self._table, upload) is None:
                raise RefusedError(404, "no such upload, or not yours to see")
        part = Part(part_of(self._folder, upload))
        try:
            with self._database.reading() as session:
                row = arriving(session.get(self._table, upload))
            if row.received != offset:
                raise RefusedError(
                    409, f"Upload-Offset: {row.received} bytes are here; go on there", _at(row.received)
                )
            if size is not None and offset + size > row.length:
                raise _too_long(row.length)
            part.begin(offset)
        except BaseException:
            part.close()
            raise
        return _Writer(upload, part, row.length, row.expires, checksum)

    def _settle(self, writer: _Writer, broken: bool) -> None:
        """Acknowledge what is written: on the disk first, then in the database, if nobody was faster."""
        part = writer.part
        if writer.checksum is not None:
            if broken:
                return
            writer.checksum.verify()
        if part.written == part.settled:
            return
        part.sync()
        expires = self.expiry()
        table = self._table
        moved = (
            update(table)
            .where(table.id == writer.upload, table.received == part.settled, table.state == ARRIVING)
            .values(
                received=part.written,
                expires=expires,
                state=WHOLE if part.written == writer.length else ARRIVING,
            )
        )
        with self._database.writing() as session:
            done: CursorResult[tuple[()]] = session.connection().execute(moved)
        if done.rowcount != 1:
            raise RefusedError(404, "the upload was ended meanwhile")
        part.settled, writer.expires = part.written, expires

    async def _thread(
        self,
        work: Callable[Argument, Answer],
        *arguments: Argument.args,
        **_: Argument.kwargs,
    ) -> Answer:
        return await to_thread.run_sync(work, *arguments, limiter=self._threads)


async def _next(stream: AsyncIterator[bytes]) -> bytes | None:
    """The next bytes; None at the end. Raises TimeoutError where nothing comes for too long."""
    try:
        async with asyncio.timeout(IDLE_S):
            return await anext(stream)
    except StopAsyncIteration:
        return None


def arriving(row: Arriving | None) -> Arriving:
    """An upload to which bytes may be added.

    Raises
    ------
    RefusedError
        404: there is none. 410: it has expired. 409: it is whole.
    """
    if row is None:
        raise RefusedError(404, "no such upload, or not yours to see")
    if row.state != ARRIVING:
        raise RefusedError(409, "the upload has all its bytes", _at(row.received))
    if row.expires <= now():
        raise RefusedError(410, "nothing came for so long that the upload was ended; begin again")
    return row


def _at(received: int) -> dict[str, str]:
    return {"Upload-Offset": str(received)}


def _too_long(length: int) -> RefusedError:
    return RefusedError(
        413, f"more bytes than the {length} of Upload-Length; begin again with the right length"
    )
