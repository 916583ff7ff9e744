"""Objects, arrays and nested rows that the database itself puts together."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import bindparam, func, select

from demijohn.resources.codecs import Codec
from demijohn.resources.dialects.dialect import Dialect, Member

Run = Callable[..., list[tuple[Any, ...]]]

metadata = sa.MetaData()
person = sa.Table(
    "person",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(50), nullable=False),
    sa.Column("nick", sa.String(50)),
    sa.Column("height", sa.Double),
    sa.Column("boss_id", sa.Integer),
)
address = sa.Table(
    "address",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("person_id", sa.Integer, sa.ForeignKey("person.id"), nullable=False),
    sa.Column("street", sa.Text, nullable=False),
)
phone = sa.Table(
    "phone",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("address_id", sa.Integer, sa.ForeignKey("address.id"), nullable=False),
    sa.Column("number", sa.String(50), nullable=False),
)
tag = sa.Table("tag", metadata, sa.Column("id", sa.Integer, primary_key=True), sa.Column("word", sa.String(50)))
tagged = sa.Table("tagged", metadata, sa.Column("person_id", sa.Integer), sa.Column("tag_id", sa.Integer))

TEXTS = (
    "",
    'quotes " and \' and \\" and \\\\',
    "comma, [brackets] {braces}",
    "\x01\x0b\x1f\t\n\r\b\f",
    "😀 naïve \u2028\u2029",
    "50 % off, 100 %s %(x)s :y ?",
    "x" * 20_000,
)


@pytest.fixture
def tables(engine: sa.Engine) -> sa.Engine:
    """Make the tables: Ann has everything, Bob has nothing, Cid has one address without a phone."""
    metadata.create_all(engine)
    with engine.begin() as connection:
        people = [
            {"id": 1, "name": "Ann", "nick": "A", "height": 1.75, "boss_id": None},
            {"id": 2, "name": "Bob", "nick": None, "height": None, "boss_id": 1},
            {"id": 3, "name": "Cid", "nick": None, "height": 2.0, "boss_id": 1},
        ]
        connection.execute(person.insert(), people)
        streets = [{"id": 100 - i, "person_id": 1, "street": text} for i, text in enumerate(TEXTS)]
        connection.execute(address.insert(), [*streets, {"id": 1, "person_id": 3, "street": "only"}])
        connection.execute(phone.insert(), [{"id": i, "address_id": 100, "number": str(i)} for i in (3, 1, 2)])
        connection.execute(tag.insert(), [{"id": 1, "word": "z"}, {"id": 2, "word": "a"}])
        connection.execute(tagged.insert(), [{"person_id": 1, "tag_id": 1}, {"person_id": 1, "tag_id": 2}])
    return engine


def codec(dialect: Dialect, column: Any) -> Codec:
    """Return the codec of a column under the schema that fits it."""
    kind = "integer" if isinstance(column.type, sa.Integer) else "string"
    kind = "number" if isinstance(column.type, sa.Double) else kind
    return dialect.codec(column.type, {"type": kind}, frozenset((kind,)), None)


def plain(dialect: Dialect, column: Any, name: str | None = None, **more: Any) -> Member:
    """Return a member that shows a column."""
    return Member(column.key if name is None else name, codec(dialect, column).json(column), **more)


def nullable(dialect: Dialect, column: Any) -> Member:
    """Return a member that shows a column, NULL as null."""
    return Member(column.key, func.coalesce(codec(dialect, column).json(column), dialect.null()))


def optional(dialect: Dialect, column: Any) -> Member:
    """Return a member that is left out where the column is NULL."""
    return plain(dialect, column, present=column.is_not(None))


def one_for_each(source: Any) -> sa.Select[Any]:
    """Return a select without columns of its own."""
    return select(sa.literal_column("1")).select_from(source)


def texts(dialect: Dialect, run: Run, members: list[Member], table: Any = person) -> list[str]:
    """Return the JSON of each row."""
    rows = run(select(dialect.text(dialect.object(members))).select_from(table).order_by(table.c.id))
    return [text for (text,) in rows]


def test_members_keep_their_order(tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    members = [plain(dialect, person.c.name), plain(dialect, person.c.id), nullable(dialect, person.c.height)]
    assert texts(dialect, run, members) == [
        '{"name":"Ann","id":1,"height":1.75}',
        '{"name":"Bob","id":2,"height":null}',
        '{"name":"Cid","id":3,"height":2}',
    ]


@pytest.mark.parametrize("order", ["first", "middle", "last", "both", "all"])
def test_what_is_null_is_left_out_wherever_it_stands(order: str, tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    name, nick = plain(dialect, person.c.name), optional(dialect, person.c.nick)
    height, key = optional(dialect, person.c.height), plain(dialect, person.c.id)
    members = {
        "first": [nick, name],
        "middle": [name, nick, key],
        "last": [name, nick],
        "both": [nick, name, height],
        "all": [nick, height],
    }[order]
    expected = [
        {"name": "Ann", "id": 1, "nick": "A", "height": 1.75},
        {"name": "Bob", "id": 2},
        {"name": "Cid", "id": 3, "height": 2},
    ]
    names = [member.name for member in members]
    wanted = [{name: row[name] for name in names if name in row} for row in expected]
    assert texts(dialect, run, members) == [json.dumps(row, separators=(",", ":")) for row in wanted]


def test_an_object_may_have_no_members_at_all(tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    assert texts(dialect, run, []) == ["{}"] * 3
    nothing = [plain(dialect, person.c.nick, present=sa.false())]
    assert texts(dialect, run, nothing) == ["{}"] * 3


def test_names_may_be_anything(tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    names = ["it's", 'a "b"', "back\\slash", "50 %s %(x)s", ":x ?", "naïve 😀", "{0}", "\n", ""]
    for present in (None, person.c.id == 1):
        members = [plain(dialect, person.c.id, name, present=present) for name in names]
        found = texts(dialect, run, members)[0]
        assert json.loads(found) == dict.fromkeys(names, 1)
        assert list(json.loads(found)) == names


@pytest.mark.parametrize("count", [60, 200, 500])
def test_an_object_may_have_many_members(count: int, tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    members = [plain(dialect, person.c.name, f"m{index}") for index in range(count)]
    members += [optional(dialect, person.c.nick)]
    assert json.loads(texts(dialect, run, members)[0]) == {f"m{index}": "Ann" for index in range(count)} | {"nick": "A"}


def addresses(dialect: Dialect, *more: Member) -> sa.ColumnElement[Any]:
    """Return the addresses of a person as an array, in the order of their ids."""
    rows = one_for_each(address).where(address.c.person_id == person.c.id)
    item = dialect.object([plain(dialect, address.c.id), plain(dialect, address.c.street), *more])
    return dialect.array(item, rows.order_by(address.c.id).correlate(person))


def test_an_array_holds_all_rows_in_their_order(tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    found = texts(dialect, run, [plain(dialect, person.c.name), Member("addresses", addresses(dialect))])
    expected = [{"id": 100 - i, "street": text} for i, text in enumerate(TEXTS)][::-1]
    rows = [{"name": "Ann", "addresses": expected}, {"name": "Bob", "addresses": []}]
    rows.append({"name": "Cid", "addresses": [{"id": 1, "street": "only"}]})
    assert found == [json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows]


def test_an_array_may_be_sorted_the_other_way(tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    rows = one_for_each(address).where(address.c.person_id == person.c.id)
    rows = rows.order_by(func.length(address.c.street) > 5, address.c.id.desc()).correlate(person)
    array = dialect.array(dialect.object([plain(dialect, address.c.id)]), rows)
    found = json.loads(texts(dialect, run, [Member("a", array)])[0])
    assert [one["id"] for one in found["a"]] == [100, 99, 98, 97, 96, 95, 94]


def test_arrays_may_stand_in_arrays(tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    rows = one_for_each(phone).where(phone.c.address_id == address.c.id)
    rows = rows.order_by(phone.c.number).correlate(person, address)
    phones = Member("phones", dialect.array(dialect.object([plain(dialect, phone.c.number)]), rows))
    array = addresses(dialect, phones)
    found = [json.loads(text)["addresses"] for text in texts(dialect, run, [Member("addresses", array)])]
    assert found[0][-1] == {"id": 100, "street": "", "phones": [{"number": "1"}, {"number": "2"}, {"number": "3"}]}
    assert all(one["phones"] == [] for one in found[0][:-1])
    assert found[1:] == [[], [{"id": 1, "street": "only", "phones": []}]]


def test_an_array_may_go_through_a_third_table(tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    joined = tagged.join(tag, tag.c.id == tagged.c.tag_id)
    rows = one_for_each(joined).where(tagged.c.person_id == person.c.id)
    rows = rows.order_by(tag.c.word).correlate(person)
    array = dialect.array(dialect.object([plain(dialect, tag.c.word)]), rows)
    assert texts(dialect, run, [Member("tags", array)]) == [
        '{"tags":[{"word":"a"},{"word":"z"}]}',
        '{"tags":[]}',
        '{"tags":[]}',
    ]


def test_a_nested_row_is_an_object_or_nothing(tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    boss = person.alias("boss")
    rows = one_for_each(boss).where(boss.c.id == person.c.boss_id).correlate(person)
    shown = [Member("name", codec(dialect, person.c.name).json(boss.c.name))]
    shown += [Member("nick", func.coalesce(codec(dialect, person.c.nick).json(boss.c.nick), dialect.null()))]
    value = dialect.nested(dialect.object(shown), rows)
    members = [Member("boss", func.coalesce(value, dialect.null())), Member("chef", value, rows.exists())]
    assert texts(dialect, run, members) == [
        '{"boss":null}',
        '{"boss":{"name":"Ann","nick":"A"},"chef":{"name":"Ann","nick":"A"}}',
        '{"boss":{"name":"Ann","nick":"A"},"chef":{"name":"Ann","nick":"A"}}',
    ]


def test_rows_of_the_same_table_may_be_nested_deeply(tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    team = person.alias("team")
    rows = one_for_each(team).where(team.c.boss_id == person.c.id)
    item = dialect.object([Member("name", codec(dialect, person.c.name).json(team.c.name))])
    array = dialect.array(item, rows.order_by(team.c.id.desc()).correlate(person))
    members = [plain(dialect, person.c.name), Member("team", array)]
    assert texts(dialect, run, members)[0] == '{"name":"Ann","team":[{"name":"Cid"},{"name":"Bob"}]}'


def test_a_row_that_is_written_gives_its_json_back(tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    members = [plain(dialect, person.c.id), plain(dialect, person.c.name), optional(dialect, person.c.nick)]
    members += [nullable(dialect, person.c.height)]
    insert = dialect.insert(person).values(id=9, name=bindparam("n", type_=sa.String())).inline()
    shown = dialect.text(dialect.object(members))
    expected = '{"id":9,"name":"a\\"\\\\\\u000b","height":null}'
    assert run(insert.returning(shown), {"n": 'a"\\\x0b'}) == [(expected,)]
    if dialect.returns_updated:
        update = sa.update(person).where(person.c.id == 9).values(height=1.5)
        assert run(update.returning(shown)) == [(expected.replace("null", "1.5"),)]
        update = sa.update(person).where(person.c.id == 9).values(nick="N")
        assert run(update.returning(shown)) == [(expected.replace('"height":null', '"nick":"N","height":1.5'),)]
    assert len(run(sa.delete(person).where(person.c.id == 9).returning(shown))) == 1


def test_a_large_array_is_whole(tables: sa.Engine, dialect: Dialect, run: Run) -> None:
    with tables.begin() as connection:
        rows = [{"id": 1000 + i, "person_id": 2, "street": "y" * 1500} for i in range(2000)]
        connection.execute(address.insert(), rows)
    found = json.loads(texts(dialect, run, [Member("addresses", addresses(dialect))])[1])
    assert [one["id"] for one in found["addresses"]] == list(range(1000, 3000))
