"""A database that is behind the models: a table or column that a statement needs is not there (any more, or yet)."""

from __future__ import annotations

import logging

from sqlalchemy import Engine

from demijohn.errors import Unavailable
from demijohn.resources.dialects.dialect import Dialect
from demijohn.resources.engines import in_words

__all__ = ["REMEDY", "OutdatedError", "check_outdated"]

REMEDY = "`demijohn db create TARGET` makes it, or `demijohn db upgrade TARGET` where there are migrations"

_logger = logging.getLogger("demijohn")


class OutdatedError(Unavailable):
    """Tell a client to come again: a migration may be under way. `reason` is what the database said, not told."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason


def check_outdated(error: Exception, dialect: Dialect, engine: Engine) -> None:
    """Raise `OutdatedError`, and log what is missing, where the error of a driver is about a table or column.

    One that SQLAlchemy has wrapped is none of a driver: it is of the application's own SQL, which may just be wrong.
    """
    if dialect.is_outdated(error):
        reason = str(error.args[-1] if error.args else error).strip().splitlines()[0]
        _logger.error("The database %s lacks what the models have: %s; %s", in_words(engine), reason, REMEDY)
        raise OutdatedError(reason) from error
