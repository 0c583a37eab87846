"""The store: raw recordings, stacks, times, results and logs, on a disk or behind S3.

A result is there once its commit record is, and then it is whole. See docs/decisions/0035-store.md.
"""

from cluster.store.opening import open_store
from cluster.store.protocol import Kind, Store
from cluster.store.records import Commit, File, Raw

__all__ = ["Commit", "File", "Kind", "Raw", "Store", "open_store"]
