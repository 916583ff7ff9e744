"""The `demijohn` command."""

from demijohn.cli.command import main

__all__ = ["main"]
