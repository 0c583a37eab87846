"""RAVF, the Raw Astro Video Format, version 1 (its specification and package: ravf by ChasinSpin, 2023).

Frames are raw camera rows, packed or not, each behind a header with its time, exposure, state of the GPS
receiver and a counter. What its one widespread recorder, Astrid, writes otherwise than the specification is
read as it means it; both stand in `ingest.ravf.status`.
"""
