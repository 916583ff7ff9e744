"""Handlers that are given a connection: one transaction around the call."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask
from resource_support import Serve
from small_apis import INTEGER, answers, array, content, contract, listed, obj, path, problem, ref, whole
from sqlalchemy import CheckConstraint, Connection, Engine, ForeignKey, Integer, String, func, insert, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from demijohn import BadRequest, BindingError, Conflict, Demijohn, NotFound
from demijohn import problem as make_problem


class Base(DeclarativeBase):
    pass


class Jar(Base):
    __tablename__ = "jar"
    __table_args__ = (CheckConstraint("level >= 0", name="jar_level"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    label: Mapped[str] = mapped_column(String(20), unique=True)
    level: Mapped[int]
    under: Mapped[int | None] = mapped_column(ForeignKey("jar.id"))


ROWS = [(Jar, [{"id": 1, "label": "one", "level": 5}, {"id": 2, "label": "two", "level": 0}])]
JAR = whole(id=INTEGER, label={"type": "string", "maxLength": 20}, level=INTEGER)


def small(method: str = "post", **more: Any) -> dict[str, Any]:
    act = {"operationId": "handlers.act", "responses": answers({}), **more}
    paths: dict[str, dict[str, Any]] = {
        "/jars": {"get": listed("Jar")},
        "/act/{id}": {"parameters": [path("id")], method: act},
    }
    return contract(paths, {"Jar": JAR})


@pytest.fixture
def act(serve: Serve, module: Any) -> Any:
    """Return what asks for an operation that a function serves."""

    def ask(function: Any, method: str = "post", **options: Any) -> Any:
        module("handlers", act=function)
        client = serve(small(method), Base, rows=ROWS)
        return client, client.open("/act/1", method=method.upper(), **options)

    return ask


def test_what_a_handler_writes_is_stored_when_it_returns(act: Any) -> None:
    def pour(id: int, connection: Connection) -> dict[str, Any]:
        connection.execute(update(Jar).where(Jar.id == id).values(level=Jar.level - 2))
        with Session(connection) as session:
            jar = session.get(Jar, 2)
            assert jar is not None
            jar.level += 2
            session.flush()
        return {"poured": connection.execute(select(Jar.level).where(Jar.id == id)).scalar_one()}

    client, response = act(pour)
    assert (response.status_code, response.get_json()) == (200, {"poured": 3})
    assert [jar["level"] for jar in client.get("/jars").get_json()] == [3, 2]


def refuse_by_raising(connection: Connection) -> None:
    raise Conflict("It is full.")


def refuse_by_returning(connection: Connection) -> Any:
    return make_problem(409, None, "It is full.")


def break_a_check(connection: Connection) -> None:
    connection.execute(update(Jar).where(Jar.id == 2).values(level=-1))


def break_a_unique_rule(connection: Connection) -> None:
    connection.execute(insert(Jar).values(label="one", level=1))


def break_a_reference(connection: Connection) -> None:
    connection.execute(insert(Jar).values(label="three", level=1, under=99))


@pytest.mark.parametrize(
    ("refuse", "detail"),
    [
        (refuse_by_raising, "It is full."),
        (refuse_by_returning, "It is full."),
        (break_a_check, "The item does not go with what is stored."),
        (break_a_unique_rule, "There is such an item already."),
        (break_a_reference, "The item refers to one that does not exist."),
    ],
)
def test_what_a_handler_refuses_is_undone(refuse: Any, detail: str, act: Any) -> None:
    def pour(id: int, connection: Connection) -> Any:
        connection.execute(update(Jar).where(Jar.id == id).values(level=0))
        return refuse(connection)

    client, response = act(pour)
    assert problem(response, 409)["detail"] == detail
    assert [jar["level"] for jar in client.get("/jars").get_json()] == [5, 0]


def test_an_error_undoes_what_was_written_and_tells_nothing(act: Any) -> None:
    def pour(id: int, connection: Connection) -> None:
        connection.execute(update(Jar).where(Jar.id == id).values(level=0))
        raise KeyError("secret")

    client, response = act(pour)
    assert "secret" not in str(problem(response, 500))
    assert client.get("/jars").get_json()[0]["level"] == 5


def test_a_handler_that_only_reads_sees_one_moment_and_cannot_write(act: Any, plain: Engine) -> None:
    seen: list[int] = []

    def look(id: int, connection: Connection) -> dict[str, Any]:
        def count() -> int:
            return connection.execute(select(func.count(Jar.id))).scalar_one()

        seen.append(count())
        with plain.begin() as other:
            other.execute(insert(Jar).values(id=3, label="three", level=1))
        seen.append(count())
        with pytest.raises(Exception, match=r"(?i)read.?only"):
            connection.execute(update(Jar).values(level=9))
        return {}

    client, response = act(look, "get")
    assert response.status_code == 200, response.text
    assert seen == [2, 2]
    assert [jar["level"] for jar in client.get("/jars").get_json()] == [5, 0, 1]


def test_the_functions_of_a_model_take_part(serve: Serve, module: Any) -> None:
    handles: list[Any] = []

    def act(id: int, connection: Connection) -> Any:
        (jars,) = handles
        connection.execute(update(Jar).where(Jar.id == id).values(level=1))
        made = jars.create({"label": "three", "level": 3}, connection=connection)
        assert jars.read(id, connection=connection)["level"] == 1
        raise NotFound(f"There is no {made['label']}.")

    module("handlers", act=act)
    paths = small()
    paths["paths"]["/jars"]["post"] = {
        "requestBody": {"required": True, "content": content(obj("label", "level", **JAR["properties"]))},
        "responses": answers(ref("Jar"), 201),
    }
    client = serve(paths, Base, rows=ROWS, prepare=lambda api: handles.append(api.resource(Jar)))
    assert problem(client.post("/act/1"), 404)["detail"] == "There is no three."
    assert [jar["level"] for jar in client.get("/jars").get_json()] == [5, 0]


def test_calls_at_the_same_time_lose_nothing(serve: Serve, module: Any) -> None:
    def pour(id: int, connection: Connection) -> dict[str, int]:
        level = connection.execute(select(Jar.level).where(Jar.id == id).with_for_update()).scalar_one()
        if level == 0:
            raise Conflict("It is empty.")
        connection.execute(update(Jar).where(Jar.id == id).values(level=level - 1))
        return {"left": level - 1}

    module("handlers", act=pour)
    client = serve(small(), Base, rows=ROWS)
    statuses: list[int] = []

    def call() -> None:
        statuses.append(client.application.test_client().post("/act/1").status_code)

    threads = [threading.Thread(target=call) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [200] * 5 + [409] * 7
    assert client.get("/jars").get_json()[0]["level"] == 0


def test_commands_have_transactions_too(serve: Serve) -> None:
    apis: list[Demijohn] = []

    def prepare(api: Demijohn) -> None:
        api.resource(Jar)
        apis.append(api)

    client = serve(contract({"/jars": {"get": listed("Jar")}}, {"Jar": JAR}), Base, rows=ROWS, prepare=prepare)
    (api,) = apis

    def drink(connection: Connection) -> int:
        return connection.execute(update(Jar).values(level=Jar.level - 1).where(Jar.level > 0)).rowcount

    assert api.transact(drink) == 1
    with client.application.app_context(), pytest.raises(Conflict):
        api.transact(break_a_check)
    assert [jar["level"] for jar in client.get("/jars").get_json()] == [4, 0]


def test_without_models_there_are_no_transactions() -> None:
    for api in (Demijohn(), Demijohn(Flask("small"))):
        with pytest.raises(RuntimeError, match="there is no database"):
            api.transact(lambda connection: None)


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_parameter_of_that_name_is_the_parameter(serve: Serve, module: Any) -> None:
    module("handlers", act=lambda id, connection: {"connection": connection})
    parameters = [{"name": "connection", "in": "query", "schema": {"type": "string"}}]
    client = serve(small(parameters=parameters), Base, rows=ROWS)
    assert client.post("/act/1?connection=slow").get_json() == {"connection": "slow"}


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_coroutine_is_given_no_connection(serve: Serve, module: Any) -> None:
    async def act(id: int, connection: Connection) -> None: ...

    module("handlers", act=act)
    with pytest.raises(BindingError, match="is a coroutine, which no transaction can wait for"):
        serve(small(), Base)


def test_without_models_there_is_no_connection(build: Any) -> None:
    def act(id: int, connection: Connection) -> None: ...

    one = {"/act/{id}": {"parameters": [path("id")], "post": {"operationId": "act", "responses": answers(array({}))}}}
    with pytest.raises(BindingError, match=r"argument 'connection' of .* is filled by nothing in the contract"):
        build(contract(one, {}), act=act)


@pytest.mark.parametrize("database", ["sqlite"])
def test_a_fault_that_a_handler_finds_names_its_place(act: Any) -> None:
    def pour(id: int, connection: Connection) -> None:
        raise BadRequest("It is not that large.", errors=[{"detail": "is too much", "pointer": "#/amount"}])

    _, response = act(pour)
    assert problem(response, 400)["errors"] == [{"detail": "is too much", "pointer": "#/amount"}]
