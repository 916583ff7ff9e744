"""What differs between developing, testing and production; what is not set here, the environment and `.env` set."""

from __future__ import annotations

import os

from demijohn import SettingError

__all__ = ["CONFIGURATIONS", "Config", "Development", "Production", "Testing"]


class Config:
    """Hold what all three have in common, read from the environment when it is made."""

    # An order of fifty lines, however they are escaped, is less.
    DEMIJOHN_MAX_BODY_BYTES = 256 * 1024
    DEMIJOHN_RATE_LIMIT_LOGIN = "5 per 10 minutes"

    def __init__(self) -> None:
        self.SECRET_KEY = os.environ.get("SECRET_KEY") or None


class Development(Config):
    """Be for one's own machine: a file in the instance folder, and a secret that Demijohn makes and keeps there."""


class Testing(Config):
    """Be for tests: a database in memory, hashes that take no time, and nothing of the environment."""

    TESTING = True
    DEMIJOHN_DATABASE_URL = "sqlite://"
    DEMIJOHN_PASSWORD_MEMORY_KIB = 8
    DEMIJOHN_PASSWORD_TIME_COST = 1

    def __init__(self) -> None:
        self.SECRET_KEY = "a secret that is good enough for tests"  # noqa: S105  # it protects nothing


class Production(Config):
    """Be for the world: Demijohn refuses a secret that is missing or weak, and the database has to be named."""

    DEMIJOHN_ENVIRONMENT = "production"

    def __init__(self) -> None:
        super().__init__()
        if not os.environ.get("DATABASE_URL"):
            raise SettingError(["DATABASE_URL: found none, and production takes no default; name the database"])


CONFIGURATIONS: dict[str, type[Config]] = {"development": Development, "testing": Testing, "production": Production}
