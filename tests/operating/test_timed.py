"""The timed request is the request: the same lines, and a clock between them."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from itertools import pairwise

from demijohn.serve import STAGES, operation, timed


def lines_of(function: Callable[..., object]) -> list[str]:
    (tree,) = ast.parse(inspect.getsource(function)).body
    assert isinstance(tree, ast.FunctionDef)
    return [ast.unparse(statement) for statement in tree.body[1:]]


def test_it_does_what_the_page_of_a_request_says_and_nothing_else() -> None:
    timed_lines = lines_of(timed.run_timed)
    clock = [line for line in timed_lines if "perf_counter" in line]
    rest = [line for line in timed_lines if "perf_counter" not in line]
    assert rest == lines_of(operation.run)
    assert clock == [
        "times = request.environ[TIMES] = [perf_counter()]",
        *["times.append(perf_counter())"] * len(STAGES),
    ]
    assert inspect.signature(timed.run_timed) == inspect.signature(operation.run)


def test_after_each_stage_there_is_a_mark() -> None:
    lines = lines_of(timed.run_timed)
    marks = [number for number, line in enumerate(lines) if "perf_counter" in line]
    stages = [lines[begin + 1 : end] for begin, end in pairwise(marks)]
    for name, (first, *more) in zip(
        STAGES, [[one for one in stage if "current(" not in one] for stage in stages], strict=True
    ):
        assert f"{'action.run' if name == 'act' else name}(" in first
        assert [line for line in more if "search" not in line] == []
