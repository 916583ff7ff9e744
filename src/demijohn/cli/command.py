"""The `demijohn` command and its subcommands: what a user types, and nothing else."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import click

from demijohn.cli.check import check
from demijohn.cli.plan import plan
from demijohn.cli.problems import tell
from demijohn.cli.run import run
from demijohn.errors import StartError

__all__ = ["main"]

_EXAMPLES = """\
Examples:

  demijohn check openapi.yaml            is the contract sound?
  demijohn run openapi.yaml --mock       serve its examples, before there is any code
  demijohn run people:create_app         serve the application that people.create_app makes
  demijohn plan .                        show what each operation does, and who may call it
"""


class _Group(click.Group):
    """Tell what keeps an application from starting, instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
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


main.add_command(run)
main.add_command(check)
main.add_command(plan)
