"""The action of an operation whose rows belong to callers: one of several that were prepared, by the caller's roles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import Any

from demijohn.compile.answers import Answer
from demijohn.compile.plan import Act, Arguments
from demijohn.compile.reuse import Sources
from demijohn.resources.owner import Owner

__all__ = ["Owned"]


class Owned:
    """Run an operation for who is calling: on the caller's own rows, or on those of all where a role says so.

    `make` returns the act in which only the rows of some of `owners` are the caller's. Roles may be exempt from some
    owners and not from others: there is one act for each combination, of which mostly there are two, or one.

    `needs_user` tells that there is nothing here for a caller without a key.
    """

    def __init__(
        self, owners: Sequence[Owner], make: Callable[[frozenset[Owner]], Act], *, needs_user: bool = False
    ) -> None:
        self.owners = tuple(owners)
        self.needs_user = needs_user
        # Each set of roles that lifts something.
        self.exempt = tuple(dict.fromkeys(owner.exempt for owner in owners if owner.exempt))
        self._acts: dict[tuple[bool, ...], Act] = {}
        for held in product((False, True), repeat=len(self.exempt)):
            lifted = {roles for roles, is_held in zip(self.exempt, held, strict=True) if is_held}
            self._acts[held] = make(frozenset(owner for owner in owners if owner.exempt not in lifted))
        self._own = self._acts[(False,) * len(self.exempt)]
        self.name = self._own.name
        self.varies: tuple[str, ...] = getattr(self._own, "varies", ())

    @property
    def has_hooks(self) -> bool:
        """Tell whether functions of the application stand around it at present."""
        return self._own.has_hooks

    @property
    def sources(self) -> Sources:
        """Return what the answers are made from; only a list or a read has it."""
        own: Any = self._own
        tables: frozenset[str] = own.sources.tables
        return Sources(tables, is_own=True)

    def run(self, arguments: Arguments) -> Answer:
        """Answer one request; the key of the caller comes behind the values of the parameters."""
        caller, act = arguments.caller, self._own
        if self.exempt and caller.scopes:
            act = self._acts[tuple([not roles.isdisjoint(caller.scopes) for roles in self.exempt])]
        return act.run(Arguments([*arguments.values, caller.user], *arguments[1:]))  # a third of what `_replace` costs

    def statements(self) -> list[tuple[str, str]]:
        """Return what is run, each statement with a word for when; what is the same for exempt roles only once."""
        told: list[tuple[str, str]] = []
        for held, act in self._acts.items():
            roles = [" or ".join(sorted(one)) for one, is_held in zip(self.exempt, held, strict=True) if is_held]
            made: Any = act
            for label, sql in made.statements():
                if all(sql != other for _, other in told):
                    told.append((f"{label}, for {' and '.join(roles)}" if roles else label, sql))
        return told
