"""Read what the application declares, in whatever style, into `Model`s; find the engine that goes with it.

A thing that can be read is a mapped class, a declarative base, a `registry`, a `Table`, a `MetaData`, or the `db` of
Flask-SQLAlchemy. An engine, or the `db` of Flask-SQLAlchemy-Lite, brings no models: it stands beside them and says
where they are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from flask import Flask
from sqlalchemy import Column, ColumnElement, Engine, MetaData, Table, inspect
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.hybrid import HybridExtensionType
from sqlalchemy.orm import Mapper, Session, registry
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList, Label
from sqlalchemy.sql.operators import and_, eq
from sqlalchemy.sql.util import _deep_deannotate
from sqlalchemy.sql.visitors import cloned_traverse, iterate
from sqlalchemy.util import immutabledict

from demijohn.errors import BindingError
from demijohn.resources.model import AnyColumn, Expression, Model, Relation
from demijohn.resources.tables import relations_of, unique_columns

__all__ = ["Models", "engine_of", "read_models"]


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """Hold every model that was handed over.

    `unusable` gives, for `source.attribute` of a relation that no statement can follow, the reason.
    """

    all: tuple[Model, ...]
    unusable: Mapping[str, str] = field(default_factory=dict)
    _classes: Mapping[type, Model] = field(default_factory=dict)
    _targets: Mapping[Relation, type] = field(default_factory=dict)

    def named(self, name: str) -> Model | None:
        """Return the model that a contract calls `name`: its class, its table, or the dotted name of its class."""
        for one in self.all:
            if name in (one.name, one.source):
                return one
        return next((one for one in self.all if name in (one.table.name, one.table.fullname)), None)

    def hint(self, name: str) -> str:
        """Return what may have been meant by a name that is no model's."""
        known = [one.name for one in self.all]
        close = get_close_matches(name, known, 1)
        return f"did you mean `{close[0]}`?" if close else "allowed are " + ", ".join(f"`{one}`" for one in known)

    def of_class(self, cls: type) -> Model | None:
        """Return the model that was made of a mapped class."""
        return self._classes.get(cls)

    def thing_of(self, model: Model) -> type | Table:
        """Return the mapped class, or the table, that a model was made of."""
        return next((cls for cls, one in self._classes.items() if one is model), model.table)

    def of_table(self, table: Table) -> tuple[Model, ...]:
        """Return the models of a table: several where classes share it, those for all of its rows first."""
        return tuple(sorted((one for one in self.all if one.table is table), key=lambda one: one.criterion is not None))

    def leads_to(self, relation: Relation, model: Model) -> bool:
        """Tell whether the rows that a relation leads to are rows of `model`, all of them."""
        if relation.target is not model.table:
            return False
        target = self._targets.get(relation)
        meant = self._classes.get(target) if target is not None else None
        return meant is None or meant is model or (meant.criterion is None and model.criterion is None)

    def target(self, relation: Relation) -> Model | None:
        """Return the model of the rows that a relation leads to, None where it was not handed over."""
        target = self._targets.get(relation)
        if target is not None and target in self._classes:
            return self._classes[target]
        return next(iter(self.of_table(relation.target)), None)


def read_models(things: Iterable[Any]) -> Models:
    """Return the models of what was handed to `Demijohn.resource`.

    Raises `BindingError` with everything that is no model, or none that a statement can be made for.
    """
    problems: list[str] = []
    mappers: dict[Mapper[Any], None] = {}
    tables: dict[Table, None] = {}
    for thing in things:
        found = _found_in(thing, problems)
        mappers.update(dict.fromkeys(one for one in found if isinstance(one, Mapper)))
        tables.update(dict.fromkeys(one for one in found if isinstance(one, Table)))
    reading = _Reading(problems)
    models = [model for mapper in mappers if (model := reading.of_mapper(mapper)) is not None]
    models += [reading.of_table(table, tables) for table in tables]
    named: dict[str, Model] = {}
    for model in models:
        other = named.setdefault(model.name, model)
        if other is not model:
            problems.append(f"{other.source} and {model.source} have the same name; hand over one of them")
    if problems:
        raise BindingError(problems)
    return Models(tuple(models), reading.unusable, reading.classes, reading.targets)


def engine_of(thing: Any, app: Flask) -> Engine | None:
    """Return the engine of something handed to `Demijohn.resource`, None where it says nothing about one.

    An engine is its own. Flask-SQLAlchemy and Flask-SQLAlchemy-Lite are asked in the application's context, so that
    their binds hold: for `db` itself, for a model of `db.Model`, and for any model where the application has one of
    the two. Raises `BindingError` where the extension has no engine for it.
    """
    if isinstance(thing, Engine):
        return thing
    target = _bound_thing(thing)
    own = thing if _is_database(thing) else getattr(thing, "__fsa__", None)
    database = own or app.extensions.get("sqlalchemy")
    if database is None or (own is None and target is None):
        return None
    if own is None and hasattr(database, "metadatas") and not _is_known_to(database, target):
        return None
    try:
        with app.app_context():
            session: Session = database.session() if hasattr(database, "metadatas") else database.sessionmaker()
            if target is None:
                found = database.engine
            else:
                found = session.get_bind(**({"clause": target} if isinstance(target, Table) else {"mapper": target}))
            session.close()
    except (RuntimeError, KeyError, SQLAlchemyError) as error:
        text = str(error.args[0]) if error.args else type(error).__name__
        raise BindingError([f"{_shown(thing)} has no engine: {text}"]) from None
    return found if isinstance(found, Engine) else None


def _bound_thing(thing: Any) -> Mapper[Any] | Table | None:
    """Return what a session finds an engine by: a mapper or a table; of a base, any of its own."""
    if isinstance(thing, Table):
        return thing
    if isinstance(thing, type | registry | MetaData):
        return next(iter(_found_in(thing, [])), None)
    return None


def _is_known_to(database: Any, target: Any) -> bool:
    """Tell whether Flask-SQLAlchemy made the metadata of a table; it has engines for those only."""
    table = target if isinstance(target, Table) else target.local_table
    return any(table.metadata is one for one in database.metadatas.values())


def _is_database(thing: Any) -> bool:
    """Tell whether a thing is the `db` of Flask-SQLAlchemy or Flask-SQLAlchemy-Lite."""
    return not isinstance(thing, type) and hasattr(thing, "init_app") and hasattr(type(thing), "engines")


def _found_in(thing: Any, problems: list[str]) -> list[Mapper[Any] | Table]:
    if isinstance(thing, Table):
        return [thing]
    if isinstance(thing, MetaData):
        return list(thing.tables.values())
    if isinstance(thing, registry):
        return _sorted(thing.mappers)
    if isinstance(thing, Engine):
        return []
    if _is_database(thing):
        return _found_in(thing.Model, problems) if hasattr(thing, "Model") else []
    if isinstance(thing, type):
        mapper: Any = inspect(thing, raiseerr=False)
        if isinstance(mapper, Mapper):
            return [mapper]
        known = getattr(thing, "registry", None)
        if isinstance(known, registry):
            own = _sorted(one for one in known.mappers if issubclass(one.class_, thing))
            if not own:
                problems.append(f"{_shown(thing)} has no models yet; import the module that declares them first")
            return own
    problems.append(
        f"{_shown(thing)} is no model; hand over mapped classes, a declarative base, tables, or the db of an extension"
    )
    return []


def _sorted(mappers: Iterable[Mapper[Any]]) -> list[Mapper[Any] | Table]:
    """Return mappers in an order that is the same in every process; a registry holds a set."""
    return [*sorted(mappers, key=lambda one: (one.class_.__module__, one.class_.__qualname__))]


def _shown(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}" if isinstance(thing, type) else repr(thing)[:80]


class _Reading:
    """Make models, and remember what is to be known about all of them."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        self.unusable: dict[str, str] = {}
        self.classes: dict[type, Model] = {}
        self.targets: dict[Relation, type] = {}

    def of_mapper(self, mapper: Mapper[Any]) -> Model | None:
        """Return the model of a mapped class; None, and a problem, where it is not one table."""
        source = _shown(mapper.class_)
        try:
            mapper.registry.configure(cascade=True)
            refused = _refused(mapper)
            if refused:
                self.problems.append(f"{source} {refused}")
                return None
            table = mapper.local_table
            assert isinstance(table, Table)
            columns, computed = _attributes(mapper)
            model = Model(
                name=mapper.class_.__name__,
                source=source,
                table=table,
                columns=MappingProxyType(columns),
                computed=MappingProxyType(computed),
                relations=MappingProxyType(dict(self._relations(mapper, source))),
                unique=tuple(unique_columns(table)),
                criterion=_criterion(mapper),
            )
        except SQLAlchemyError as error:  # a relationship or foreign key that leads nowhere
            self.problems.append(f"{source} cannot be read: {str(error).splitlines()[0]}")
            return None
        self.classes[mapper.class_] = model
        return model

    def of_table(self, table: Table, tables: Iterable[Table]) -> Model:
        """Return the model of a plain table; its relations are its foreign keys, and those of other tables to it."""
        found: dict[str, list[Relation]] = {}
        for relation in relations_of(table, tables):
            if relation.name not in table.c:
                found.setdefault(relation.name, []).append(relation)
        for name, several in found.items():
            if len(several) > 1:
                self.unusable[f"{table.fullname}.{name}"] = "several foreign keys lead there"
        return Model(
            name=table.name,
            source=table.fullname,
            table=table,
            columns=MappingProxyType({column.key: column for column in table.columns}),
            relations=MappingProxyType({name: one[0] for name, one in found.items() if len(one) == 1}),
            unique=tuple(unique_columns(table)),
        )

    def _relations(self, mapper: Mapper[Any], source: str) -> Iterator[tuple[str, Relation]]:
        for one in mapper.relationships:
            target = one.mapper.local_table
            pairs = [(_plain(local), _plain(remote)) for local, remote in one.local_remote_pairs or ()]
            through = one.secondary
            secondary_on: tuple[tuple[AnyColumn, AnyColumn], ...] = ()
            if not isinstance(target, Table) or not (through is None or isinstance(through, Table)):
                self.unusable[f"{source}.{one.key}"] = "it does not lead to a table"
                continue
            if through is None:
                is_plain = len(_equalities(one.primaryjoin)) == len(pairs)
            else:
                here, there = _equalities(one.primaryjoin), _equalities(one.secondaryjoin)
                pairs = [_ordered(pair, through) for pair in here]
                secondary_on = tuple((inside, outside) for outside, inside in (_ordered(p, through) for p in there))
                is_plain = bool(here and there)
            if not is_plain:
                self.unusable[f"{source}.{one.key}"] = "it joins by a condition of its own"
                continue
            relation = Relation(
                name=one.key,
                target=target,
                many=bool(one.uselist),
                on=tuple(pairs),
                secondary=through,
                secondary_on=secondary_on,
                order_by=tuple(_plain(term) for term in one.order_by or ()),
            )
            self.targets[relation] = one.mapper.class_
            yield one.key, relation


def _refused(mapper: Mapper[Any]) -> str:
    """Return why a mapper is not one table that statements can be made for, "" where it is."""
    if mapper.concrete and mapper.inherits is not None:
        return "inherits by concrete tables, which a resource cannot; hand over its Table"
    if any(one.inherits is not None and not one.single for one in mapper.iterate_to_root()):
        return "inherits by joined tables, which a resource cannot; hand over a view of them as a Table"
    if not isinstance(mapper.local_table, Table):
        return "is mapped to a join or a select, which a resource cannot be; hand over a view as a Table"
    return ""


def _attributes(mapper: Mapper[Any]) -> tuple[dict[str, AnyColumn], dict[str, Expression]]:
    columns: dict[str, AnyColumn] = {}
    computed: dict[str, Expression] = {}
    for attribute in mapper.column_attrs:
        first = attribute.columns[0]
        if isinstance(first, Column):
            columns[attribute.key] = first
        else:
            computed[attribute.key] = _plain(first.element if isinstance(first, Label) else first)
    # The order of the table is the one that people wrote; a mapper puts computed ones first.
    place = {column: index for index, column in enumerate(mapper.local_table.c)}
    columns = dict(sorted(columns.items(), key=lambda item: place.get(item[1], len(place))))
    for synonym in mapper.synonyms:
        if synonym.name in columns:
            columns[synonym.key] = columns[synonym.name]
        elif synonym.name in computed:
            computed[synonym.key] = computed[synonym.name]
    for name, descriptor in mapper.all_orm_descriptors.items():
        if descriptor.extension_type is HybridExtensionType.HYBRID_PROPERTY:
            expression = _hybrid(mapper.class_, name)
            if expression is not None:
                computed[name] = expression
    return columns, computed


def _hybrid(cls: type, name: str) -> Expression | None:
    """Return the SQL of a hybrid, None where it has none: it is Python for instances only."""
    try:
        expression: Any = getattr(cls, name).__clause_element__()
    except Exception:  # whatever the application's own code raises when it is given a class for an instance
        return None
    plain: Expression | None = _plain(expression) if isinstance(expression, ColumnElement) else None
    return plain


def _criterion(mapper: Mapper[Any]) -> Expression | None:
    if not mapper.single or mapper.inherits is None or mapper.polymorphic_on is None:
        return None
    # Its own identity comes first: a new row gets it.
    family = [mapper, *(one for one in mapper.self_and_descendants if one is not mapper)]
    identities = [one.polymorphic_identity for one in family if not one.polymorphic_abstract]
    column: Expression = _plain(mapper.polymorphic_on)
    return column == identities[0] if len(identities) == 1 else column.in_(identities)


def _plain(expression: Any) -> Any:
    """Return an expression without the marks of the ORM, which would make a statement one of the ORM's."""
    plain = _deep_deannotate(expression)
    parts: list[Any] = list(iterate(plain))
    if any(one._propagate_attrs for one in parts):
        plain = cloned_traverse(plain, {}, {})  # columns stay what they are
        parts = list(iterate(plain))
        for one in parts:
            if one._propagate_attrs:
                one._propagate_attrs = immutabledict()
    return plain


def _equalities(join: Any) -> list[tuple[AnyColumn, AnyColumn]]:
    """Return the pairs of columns that a join makes equal; [] where it says anything else."""
    if join is None:
        return []
    whole = _plain(join)
    parts = list(whole.clauses) if isinstance(whole, BooleanClauseList) and whole.operator is and_ else [whole]
    pairs = [(one.left, one.right) for one in parts if isinstance(one, BinaryExpression) and one.operator is eq]
    pairs = [(one, other) for one, other in pairs if isinstance(one, Column) and isinstance(other, Column)]
    return pairs if len(pairs) == len(parts) else []  # type: ignore[return-value]  # isinstance has told


def _ordered(pair: tuple[AnyColumn, AnyColumn], through: Table) -> tuple[AnyColumn, AnyColumn]:
    """Return the pair with the column of the table in between last."""
    one, other = pair
    return (other, one) if one.table is through else (one, other)
