"""The columns of ObsCore 1.1 (IVOA REC-ObsCore-1.1, tables 5 and 6): all mandatory ones, and four more."""

from api.standards.votable import Field

SPACE = "Char.SpatialAxis"
TIME = "Char.TimeAxis"
SPECTRUM = "Char.SpectralAxis"
UTC = "utc"
"""ID of the TIMESYS of `t_min` and `t_max`."""
ICRS = "icrs"
"""ID of the COOSYS of `s_ra`, `s_dec`, `s_region`."""

_ROWS: tuple[tuple[str, str, str, str, str, str], ...] = (
    # name, type, unit, UCD, utype, meaning
    ("dataproduct_type", "char", "", "meta.code.class", "ObsDataset.dataProductType",
     "timeseries: a light curve; cube: a recording"),
    ("calib_level", "int", "", "meta.code;obs.calib", "ObsDataset.calibLevel",
     "0: as recorded; 2: reduced, fluxes over those of reference stars"),
    ("target_name", "text", "", "meta.id;src", "Target.name", "the occulting body"),
    ("obs_id", "char", "", "meta.id", "DataID.observationID", "the observation: all data of it share this"),
    ("obs_title", "text", "", "meta.title;obs", "DataID.title", "what it is, in words"),
    ("obs_collection", "text", "", "meta.id", "DataID.collection", "the campaign"),
    ("obs_creation_date", "char", "", "time;meta.dataset", "DataID.date", "when it was made or came, UTC"),
    ("obs_publisher_did", "char", "", "meta.ref.ivoid", "Curation.publisherDID", "its identifier"),
    ("obs_release_date", "char", "", "time.release", "Curation.releaseDate",
     "from when those who took part may see it, UTC; empty: it is the team's"),
    ("data_rights", "char", "", "meta.code", "Curation.rights",
     "secure: for those who took part; proprietary: for owner and team"),
    ("access_url", "char", "", "meta.ref.url", "Access.reference", "where the data are"),
    ("access_format", "char", "", "meta.code.mime", "Access.format", "media type of access_url"),
    ("access_estsize", "long", "kbyte", "phys.size;meta.file", "Access.size", "size of the data"),
    ("s_ra", "double", "deg", "pos.eq.ra", f"{SPACE}.Coverage.Location.Coord.Position2D.Value2.C1",
     "the occulted star, at the epoch of the event"),
    ("s_dec", "double", "deg", "pos.eq.dec", f"{SPACE}.Coverage.Location.Coord.Position2D.Value2.C2",
     "the occulted star, at the epoch of the event"),
    ("s_fov", "double", "deg", "phys.angSize;instr.fov", f"{SPACE}.Coverage.Bounds.Extent.diameter",
     "aperture of a light curve, diagonal of a recording; where a plate was solved"),
    ("s_region", "char", "", "pos.outline;obs.field", f"{SPACE}.Coverage.Support.Area",
     "aperture of a light curve, where a plate was solved"),
    ("s_resolution", "double", "arcsec", "pos.angResolution", f"{SPACE}.Resolution.Refval.value",
     "width of a star's image (FWHM), where a plate was solved"),
    ("s_xel1", "long", "", "meta.number", f"{SPACE}.numBins1", "width of a recording, pixels"),
    ("s_xel2", "long", "", "meta.number", f"{SPACE}.numBins2", "height of a recording, pixels"),
    ("t_xel", "long", "", "meta.number", f"{TIME}.numBins", "samples or frames"),
    ("t_min", "double", "d", "time.start;obs.exposure", f"{TIME}.Coverage.Bounds.Limits.StartTime",
     "begin of the first exposure, MJD of UTC at the telescope"),
    ("t_max", "double", "d", "time.end;obs.exposure", f"{TIME}.Coverage.Bounds.Limits.StopTime",
     "end of the last exposure, MJD of UTC at the telescope"),
    ("t_exptime", "double", "s", "time.duration;obs.exposure", f"{TIME}.Coverage.Support.Extent",
     "of all exposures together"),
    ("t_resolution", "double", "s", "time.resolution", f"{TIME}.Resolution.Refval.value",
     "from one exposure to the next"),
    ("em_min", "double", "m", "em.wl;stat.min", f"{SPECTRUM}.Coverage.Bounds.Limits.LoLimit",
     "of the filter, where one was named"),
    ("em_max", "double", "m", "em.wl;stat.max", f"{SPECTRUM}.Coverage.Bounds.Limits.HiLimit",
     "of the filter, where one was named"),
    ("em_res_power", "double", "", "spect.resolution", f"{SPECTRUM}.Resolution.ResolPower.refVal",
     "of the filter: its centre over its width"),
    ("em_xel", "long", "", "meta.number", f"{SPECTRUM}.numBins", "one band"),
    ("o_ucd", "char", "", "meta.ucd", "Char.ObservableAxis.ucd", "what the values are"),
    ("pol_states", "char", "", "meta.code;phys.polarization", "Char.PolarizationAxis.stateList", "none"),
    ("pol_xel", "long", "", "meta.number", "Char.PolarizationAxis.numBins", "none"),
    ("facility_name", "text", "", "meta.id;instr.tel", "Provenance.ObsConfig.Facility.name", "the station"),
    ("instrument_name", "text", "", "meta.id;instr", "Provenance.ObsConfig.Instrument.name",
     "telescope and camera"),
)  # fmt: skip

_XTYPES = {"s_region": "adql:REGION", "obs_release_date": "timestamp", "obs_creation_date": "timestamp"}
_SYSTEMS = {"t_min": UTC, "t_max": UTC, "s_ra": ICRS, "s_dec": ICRS, "s_region": ICRS}

OPTIONAL = frozenset({"obs_title", "obs_creation_date", "obs_release_date", "data_rights"})
FIELDS: tuple[Field, ...] = tuple(
    Field(
        name=name,
        kind=kind,  # type: ignore[arg-type]  # one of the six, as written above
        meaning=meaning,
        unit=unit,
        ucd=ucd,
        utype=f"obscore:{utype}",
        xtype=_XTYPES.get(name, ""),
        system=_SYSTEMS.get(name, ""),
    )
    for name, kind, unit, ucd, utype, meaning in _ROWS
)
