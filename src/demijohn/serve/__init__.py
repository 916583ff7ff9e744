"""Requests to answers: `operation.run` shows the whole of it."""

from demijohn.serve.dispatch import Dispatcher
from demijohn.serve.entrance import Entrance

__all__ = ["Dispatcher", "Entrance"]
