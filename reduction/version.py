"""Version of Umbra and of each stage's algorithm."""

VERSION = "0.1.0"

STAGES = {"survey": 3, "track": 2, "measure": 3, "lightcurve": 2, "event": 1}
"""Raised when a stage's output changes; part of every result's key."""
