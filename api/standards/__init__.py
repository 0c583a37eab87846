"""Standards of the Virtual Observatory over the archive: ObsCore, DataLink, VOSI; provenance as PROV-JSON."""
