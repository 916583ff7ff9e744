"""Requests to answers: `operation.run` shows the whole of it."""

from demijohn.serve.dispatch import Dispatcher

__all__ = ["Dispatcher"]
