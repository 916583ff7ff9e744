"""Alembic's way to the application; `flask db` of Flask-Migrate runs it, and so does `demijohn db`.

It takes the place of the `env.py` that `flask db init` writes: the metadata is that of `db` and that of the tables in
which Demijohn keeps sessions, so that one migration makes both.
"""

from alembic import context

from demijohn.cli.migrations import run_migrations

run_migrations(context)
