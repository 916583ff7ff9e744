"""Handlers that await."""
