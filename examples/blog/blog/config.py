"""What differs between developing, testing and production; what is not set here, the environment and `.env` set."""

from __future__ import annotations

import os

from demijohn import SettingError

__all__ = ["CONFIGURATIONS", "Config", "Development", "Production", "Testing"]


class Config:
    """Hold what all three have in common, read from the environment when it is made."""

    # A post of 10,000 characters, however they are escaped, is less.
    DEMIJOHN_MAX_BODY_BYTES = 128 * 1024

    def __init__(self) -> None:
        self.SECRET_KEY = os.environ.get("SECRET_KEY") or None
        self.SQLALCHEMY_DATABASE_URI = os.environ.get("DATABASE_URL") or self.default_database()

    def default_database(self) -> str:
        """Return the database that is used where `DATABASE_URL` names none: a file in the instance folder."""
        return "sqlite:///blog.sqlite"


class Development(Config):
    """Be for one's own machine: without a secret, Demijohn makes one and keeps it in the instance folder."""


class Testing(Config):
    """Be for tests: a database in memory, hashes that take no time, and nothing of the environment."""

    TESTING = True
    DEMIJOHN_PASSWORD_MEMORY_KIB = 8
    DEMIJOHN_PASSWORD_TIME_COST = 1

    def __init__(self) -> None:
        self.SECRET_KEY = "a secret that is good enough for tests"  # noqa: S105  # it protects nothing
        self.SQLALCHEMY_DATABASE_URI = "sqlite://"


class Production(Config):
    """Be for the world: nothing has a default, and Demijohn refuses a secret that is missing or weak."""

    DEMIJOHN_ENVIRONMENT = "production"

    def default_database(self) -> str:
        """Refuse to guess."""
        raise SettingError(["DATABASE_URL: found none, and production takes no default; name the database"])


CONFIGURATIONS: dict[str, type[Config]] = {"development": Development, "testing": Testing, "production": Production}
