"""Webhooks: programs elsewhere are told what has happened, by signed requests."""
