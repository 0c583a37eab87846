"""Executors: one recording in-process, many through Ray."""
