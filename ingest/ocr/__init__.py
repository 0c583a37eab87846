"""Burnt-in time (VTI): found, read by a small recogniser, and solved for the time of every frame."""
