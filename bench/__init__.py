"""Measurements side by side with peers: ``python -m bench``. See docs/benchmarks.md."""
