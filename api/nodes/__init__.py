"""Upload nodes: they take files near the observer, and hand them over to the service."""
