"""The service on each database, as the tests of campaigns have it."""

from tests.api.campaigns.conftest import callers, client

__all__ = ["callers", "client"]
