"""Settings of all tests: property tests draw the same examples every time and keep no database."""

from hypothesis import settings

settings.register_profile("gate", derandomize=True, deadline=None, database=None)
settings.load_profile("gate")
