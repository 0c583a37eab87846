"""What the routes of chords and fits share."""

from typing import Annotated

from fastapi import Depends, Request

from api.fits.fitting import Fitting


async def fitting_of(request: Request) -> Fitting:
    """That of the app."""
    found: Fitting = request.app.state.fitting
    return found


FittingDep = Annotated[Fitting, Depends(fitting_of)]
