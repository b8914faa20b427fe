"""The databases of the storage's tests."""

from tests.storage.conftest import connect, database, store

__all__ = ["connect", "database", "store"]
