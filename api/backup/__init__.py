"""Backups of the service: database, store, and what has arrived so far. See docs/decisions/0046-backup.md."""
