"""Campaigns: a manifest with a line per observation, and everything that is done with all of them."""
