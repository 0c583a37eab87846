"""Reductions asked for, and the versions of their results."""
