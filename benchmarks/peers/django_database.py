"""How Django reaches the database of a peer."""

from typing import Any

from peers.people import PRAGMAS, database_url


def databases() -> dict[str, Any]:
    """Return Django's setting `DATABASES`.

    Connections stay open: https://docs.djangoproject.com/en/stable/ref/databases/#persistent-connections
    """
    url = database_url()
    if url.get_backend_name() == "sqlite":
        pragmas = "".join(f"PRAGMA {pragma};" for pragma in PRAGMAS)
        found: dict[str, Any] = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": url.database,
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": pragmas},
        }
    else:
        found = {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.database,
            "USER": url.username or "",
            "PASSWORD": url.password or "",
            "HOST": url.host or url.query.get("host", ""),
            "PORT": url.port or "",
        }
    return {"default": found | {"CONN_MAX_AGE": None}}
