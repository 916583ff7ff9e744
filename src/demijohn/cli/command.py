"""The `demijohn` command and its subcommands: what a user types, and nothing else."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

import click
from flask.cli import load_dotenv
from flask.helpers import get_load_dotenv

from demijohn.cli.problems import tell
from demijohn.errors import StartError

__all__ = ["main"]

_EXAMPLES = """\
Examples:

  demijohn demo                          serve the examples
  demijohn new shelf                     write a project that runs, to begin with
  demijohn new shelf --from old.json     write the models that a contract suggests
  demijohn check openapi.yaml            is the contract sound?
  demijohn run openapi.yaml --mock       serve its examples, before there is any code
  demijohn run people:create_app         serve the application that people.create_app makes
  demijohn plan .                        show what each operation does, and who may call it
  demijohn plan . --sql                  show its SQL, and the indexes that serve it
  demijohn db create .                   create the tables of its models
  demijohn import . Person people.csv    write the rows of a file, checked by the contract
  demijohn export . Person people.jsonl  write them to a file
  demijohn secret --write .env           make the secret that it signs with
  demijohn user create . --email E       make a user, who can log in
"""


# Where each command is; one is loaded when it is asked for, because Alembic alone takes a tenth of a second.
_COMMANDS = {
    "check": "demijohn.cli.check:check",
    "db": "demijohn.cli.db:db",
    "demo": "demijohn.cli.demo:demo",
    "export": "demijohn.cli.data:export",
    "import": "demijohn.cli.data:import_",
    "keys": "demijohn.cli.keys:keys",
    "new": "demijohn.cli.new:new",
    "plan": "demijohn.cli.plan:plan",
    "run": "demijohn.cli.run:run",
    "secret": "demijohn.cli.secret:secret",
    "user": "demijohn.cli.users:user",
}


class _Group(click.Group):
    """Read `.env`, as Flask does, and tell what keeps an application from starting, instead of a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        if get_load_dotenv():
            load_dotenv()
        try:
            return super().invoke(ctx)
        except StartError as error:
            tell(error)
            ctx.exit(1)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write("\n" + _EXAMPLES)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("demijohn"), prog_name="demijohn", message="%(prog)s %(version)s")
def main() -> None:
    """Turn an OpenAPI contract into a running REST API.

    TARGET is a contract file, a Python application (module:factory or module:app), or a folder that holds
    one of them.
    """
