"""Handlers that block."""
