"""Which operations are statements on the drafted models: decided by what decides it when an application starts."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from sqlalchemy.dialects import sqlite

from demijohn.contract import Contract, Operation, Place
from demijohn.resources.dialects.sqlite import Sqlite
from demijohn.resources.models import Models, read_models
from demijohn.resources.shape import Shape
from demijohn.resources.shapes import shapes_of
from demijohn.settings import Settings

__all__ = ["Judgement", "judge"]

_MODULE = "_demijohn_draft"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Say what each operation is on the models: its shape, or the reason why it is left."""

    shapes: dict[Place, Shape]
    left: dict[Place, str]


def judge(
    contract: Contract, operations: Sequence[Operation], models_text: str, known: Mapping[Place, str] | None = None
) -> Judgement:
    """Return which operations the models serve, in the text of their module, without anything to complain of.

    `known` are operations that are left already.
    """
    models = _read(models_text)
    known = known or {}
    operations = [one for one in operations if one.place not in known]
    if not models.all:
        return Judgement({}, {**known, **dict.fromkeys((one.place for one in operations), "there is no model")})
    judging = _Judging(contract, models)
    found, _ = judging.look(operations)
    left = {
        one.place: judging.reason(one, found[one.place])
        for one in operations
        if not isinstance(found[one.place], Shape)
    }
    candidates = [one for one in operations if one.place not in left]
    found, told = judging.look(candidates)
    if told:
        for name in dict.fromkeys(one.model.name for one in found.values() if isinstance(one, Shape)):
            of_model = [one for one in candidates if _is_of(found[one.place], name)]
            for operation, reason in judging.misfits(of_model):
                left[operation.place] = reason
        candidates = [one for one in candidates if one.place not in left]
        found, told = judging.look(candidates)
        if told:  # what only goes wrong between models
            for operation, reason in judging.misfits(candidates):
                left[operation.place] = reason
    shapes = {place: one for place, one in found.items() if isinstance(one, Shape) and place not in left}
    return Judgement(shapes, {**known, **left})


class _Judging:
    def __init__(self, contract: Contract, models: Models) -> None:
        self._contract = contract
        self._models = models
        self._dialect = Sqlite(sqlite.dialect())

    def look(self, operations: Iterable[Operation]) -> tuple[dict[Place, Shape | str | None], list[str]]:
        """Return what operations are on the models, and what was found wrong with that."""
        told: list[str] = []

        def report(place: Place, found: str, allowed: str) -> None:
            told.append(found.replace(f"{_MODULE}.", ""))

        def ignore(place: Place, found: str, allowed: str) -> None:
            """Let what is merely loose be."""

        operations = list(operations)
        found = shapes_of(self._contract, self._models, self._dialect, Settings(), report, ignore, operations)
        return found, told

    def reason(self, operation: Operation, found: Shape | str | None) -> str:
        """Return why an operation is left."""
        if isinstance(found, str):
            return found.replace(f"{_MODULE}.", "")
        return next(iter(self.look([operation])[1]), "")

    def misfits(self, operations: Sequence[Operation]) -> Iterable[tuple[Operation, str]]:
        """Yield the operations that do not go with those before them; what reads goes first."""
        good: list[Operation] = []
        for operation in sorted(operations, key=lambda one: one.method != "GET"):
            _, told = self.look([*good, operation])
            if told:
                yield operation, told[-1]
            else:
                good.append(operation)


def _is_of(found: Shape | str | None, name: str) -> bool:
    return isinstance(found, Shape) and found.model.name == name


def _read(text: str) -> Models:
    """Return the models of a module that is not a file yet."""
    module: Any = ModuleType(_MODULE)
    sys.modules[_MODULE] = module  # SQLAlchemy looks annotations up there
    try:
        exec(compile(text, "models.py", "exec"), module.__dict__)  # noqa: S102  # written by us a moment ago
        return read_models([module.Base]) if module.Base.registry.mappers else Models(())
    finally:
        del sys.modules[_MODULE]
