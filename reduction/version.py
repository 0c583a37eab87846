"""Version of Umbra and of each stage's algorithm."""

VERSION = "0.1.0"

STAGES = {"survey": 2, "track": 2, "measure": 2, "lightcurve": 1}
"""Raised when a stage's output changes; part of every result's key."""
