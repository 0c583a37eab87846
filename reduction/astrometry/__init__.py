"""Pixels and the sky: plate solutions, how they are found, what they say of a star."""
