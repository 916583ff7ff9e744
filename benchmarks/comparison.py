"""What the comparisons on databases have in common: their command line, and what they say of the machine."""

import argparse
import os
import platform
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from driver import Peer, wrk_version
from peers.people import POOL_SIZE
from stores import DATABASES

__all__ = ["arguments", "command_line", "machine"]


def command_line(
    description: str, peers: Sequence[Peer], *, rounds: int, each: str, output: str
) -> argparse.ArgumentParser:
    """Return what reads the options of a comparison, which may add its own.

    `each` is what is loaded for a while, of each peer and in each round; `output` is where results go by default.
    """
    names = [peer.name for peer in peers]
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--peers", nargs="+", choices=names, default=names, metavar="PEER", help=str(names))
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES, help="(both)")
    parser.add_argument("--rounds", type=int, help=f"rounds over all peers ({rounds})")
    parser.add_argument("--seconds", type=int, default=1, help=f"seconds of load per {each}, peer and round (1)")
    parser.add_argument("--connections", type=int, default=POOL_SIZE, help=f"connections held by wrk ({POOL_SIZE})")
    parser.add_argument("--postgresql", metavar="URL", help="a server to use, as SQLAlchemy writes it (one of its own)")
    parser.add_argument("--output", type=Path, help=f"file to write ({output}, where everything ran)")
    return parser


def arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line; end the process where there is nothing to load the servers with."""
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed: apt-get install wrk")
    return options


def machine() -> str:
    """Say on what it was measured."""
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), shared by the servers, the database and wrk; "
        f"Python {platform.python_version()}, wrk {wrk_version()}"
    )
