"""What a result covers on the sky and in time, as queries ask for it."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from api.database.tables import Id, Table


class Coverage(Table):
    """The extent of a result's light curve and of its recording; None: not known.

    Attributes
    ----------
    t_min, t_max : float or None
        Begin of the first exposure and end of the last, MJD of UTC.
    exposure_s, cadence_s : float or None
        Exposure of all samples together; from one sample to the next.
    samples, size : int or None
        Of the light curve; bytes of ``lightcurve.csv``.
    width, height : int or None
        Of the recording's frames, pixels.
    scale_arcsec, fwhm_px, aperture_px : float or None
        Of a pixel, where a plate was solved; width of a star's image; radius of the aperture.
    """

    __tablename__ = "coverage"
    result: Mapped[Id] = mapped_column(ForeignKey("result.id"), primary_key=True)
    t_min: Mapped[float | None] = mapped_column(index=True)
    t_max: Mapped[float | None]
    exposure_s: Mapped[float | None]
    cadence_s: Mapped[float | None]
    samples: Mapped[int | None]
    size: Mapped[int | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    scale_arcsec: Mapped[float | None]
    fwhm_px: Mapped[float | None]
    aperture_px: Mapped[float | None]
