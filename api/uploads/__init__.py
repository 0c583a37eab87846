"""Uploads on their way."""
