"""Errors by what the caller can do about them.

::

    UmbraError
    +-- RequestError    the request is wrong: change it        exit 2, HTTP 422
    +-- DataError       the data are wrong: never retried      exit 3, job failed
    +-- ResourceError   something is missing here: elsewhere   exit 4, retried

A message says what, where, what was seen and what to do:
``"a.ser: frame 12: payload of 100 bytes, header says 307200; re-copy the file"``.
"""

from typing import ClassVar


class UmbraError(Exception):
    """Any failure that Umbra explains; `exit_code` is what the command returns."""

    exit_code: ClassVar[int] = 1


class RequestError(UmbraError):
    """The request cannot be carried out as it stands (bad option, missing input)."""

    exit_code: ClassVar[int] = 2


class DataError(UmbraError):
    """The data are unreadable, empty, or not a recording."""

    exit_code: ClassVar[int] = 3


class ResourceError(UmbraError):
    """A device, a disk or a service that the work needs is missing or full."""

    exit_code: ClassVar[int] = 4
