"""Finished answers that are given again."""

from demijohn.cache.caches import OperationCaches

__all__ = ["OperationCaches"]
