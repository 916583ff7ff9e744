"""What work costs: processor seconds, told for one machine so that a bound means the same on a slower one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import timeit

# A fixed piece of work, and the seconds that it takes on the machine that the bounds are made for.
YARDSTICK = "table = {}\nfor index in range(100_000): table[str(index % 1000)] = (index, [index])"
YARDSTICK_S = 0.015


def seconds(statement: str, setup: str = "pass", *, number: int = 1, repeat: int = 3) -> float:
    """Return the processor seconds that one run of a statement takes at best, in a process that does nothing else.

    In a process of its own, because counting coverage makes what it counts several times slower.
    """
    command = [sys.executable, __file__, json.dumps([statement, setup, number, repeat])]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    return float(done.stdout.splitlines()[-1])


def slowness() -> float:
    """Return how many times slower than the machine of the bounds this one is now; 1 on a faster one."""
    return max(1.0, min(timeit.repeat(YARDSTICK, timer=time.process_time, number=1, repeat=5)) / YARDSTICK_S)


def main(statement: str, setup: str, number: int, repeat: int) -> None:
    """Print the processor seconds of one run of a statement."""
    before = slowness()
    took_s = min(timeit.repeat(statement, setup, timer=time.process_time, number=number, repeat=repeat)) / number
    print(took_s / max(before, slowness()))  # noqa: T201  # its answer


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
