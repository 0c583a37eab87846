"""Readers of every recording format, times, and the Zarr stack."""
