"""Have several processes write one SQLite file for a minute, and tell how long the unluckiest writer waited.

    python benchmarks/writers.py [PROCESSES] [CLIENTS] [SECONDS]

The exit status is 1 where a write failed or was lost, or where one waited for two seconds or longer.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

WRITER = Path(__file__).parents[1] / "tests" / "support" / "writers.py"
MOST_WAIT_MS = 2000
CREATE = "CREATE TABLE written (name VARCHAR(40), client INTEGER, number INTEGER, text VARCHAR(200)," + (
    " PRIMARY KEY (name, client, number))"
)


def main(processes: int = 4, clients: int = 8, seconds: int = 60) -> int:
    """Run and print; return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "written.db"
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(CREATE)
        command = [sys.executable, str(WRITER), f"sqlite:///{file}"]
        started = [
            subprocess.Popen(
                [*command, f"p{number}", str(clients), str(seconds)],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            for number in range(processes)
        ]
        summaries = [json.loads(process.communicate()[0]) for process in started]
        with closing(sqlite3.connect(file)) as connection:
            (stored,) = connection.execute("SELECT count(*) FROM written").fetchone()
            (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
    acknowledged = sum(summary["rows"] for summary in summaries)
    errors = {text: count for summary in summaries for text, count in summary["errors"].items()}
    worst_ms = max(summary["worst_ms"] for summary in summaries)
    by_client = [rows for summary in summaries for rows in summary["rows_by_client"]]
    print(f"{processes} processes with {clients} clients each, {seconds} s, one SQLite file, synchronous=FULL")
    print(f"  committed         {acknowledged} ({acknowledged / seconds:.0f} a second)")
    print(f"  lost              {acknowledged - stored}")
    print(f"  errors            {errors or 'none'}")
    print(f"  worst wait        {worst_ms:.0f} ms")
    print(f"  median wait       {max(summary['median_ms'] for summary in summaries):.1f} ms")
    print(f"  rows of a client  {min(by_client)} to {max(by_client)}")
    print(f"  integrity check   {integrity}")
    return int(bool(errors) or stored != acknowledged or worst_ms >= MOST_WAIT_MS or integrity != "ok")


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:4])))
