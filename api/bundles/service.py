"""What the routes of event data share."""

from typing import Annotated

from fastapi import Depends, Request

from api.bundles.checking import ResultFiles


async def known_of(request: Request) -> ResultFiles:
    """Checksums of results' files, of the app."""
    known: ResultFiles = request.app.state.result_files
    return known


KnownDep = Annotated[ResultFiles, Depends(known_of)]
