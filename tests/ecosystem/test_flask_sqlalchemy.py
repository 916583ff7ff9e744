"""Flask-SQLAlchemy in handlers and blueprints, on the models and the engine of compiled operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint
from notes import TITLE, Notes
from small_apis import INTEGER, answers, content, problem, whole


def titles(notes: Notes) -> list[str]:
    with notes.app.app_context():
        return list(notes.db.session.scalars(notes.db.select(notes.model.title)))


def test_a_session_in_a_handler_sees_what_statements_wrote_and_the_other_way_round(
    notes: Callable[..., Notes],
) -> None:
    shop = notes()
    db, note = shop.db, shop.model

    def copy(note_id: int) -> Any:
        found = db.get_or_404(note, note_id)
        made = note(title=f"{found.title}, again")
        db.session.add(made)
        db.session.commit()
        return {"id": made.id, "title": made.title}, 201

    paths = {
        "/notes/{note_id}/copy": {
            "parameters": [{"name": "note_id", "in": "path", "required": True, "schema": INTEGER}],
            "post": {"operationId": "copy", "responses": answers(whole(id=INTEGER, title=TITLE), 201)},
        }
    }
    client = shop.serve(paths, copy=copy)
    assert client.post("/notes", json={"title": "First"}).status_code == 201
    assert client.post("/notes/1/copy").get_json() == {"id": 2, "title": "First, again"}
    assert [one["title"] for one in client.get("/notes").get_json()] == ["First", "First, again"]
    problem(client.post("/notes/9/copy"), 404)


def test_a_blueprint_pages_through_the_same_rows(notes: Callable[..., Notes]) -> None:
    shop = notes()
    db, note = shop.db, shop.model
    pages = Blueprint("pages", __name__, url_prefix="/pages")

    @pages.get("/<int:number>")
    def page(number: int) -> dict[str, Any]:
        found = db.paginate(db.select(note).order_by(note.id), page=number, per_page=2)
        return {"titles": [one.title for one in found], "total": found.total}

    shop.app.register_blueprint(pages)
    client = shop.serve()
    for title in ("One", "Two", "Three"):
        client.post("/notes", json={"title": title})
    assert client.get("/pages/2").get_json() == {"titles": ["Three"], "total": 3}
    problem(client.get("/pages/3"), 404)  # what `paginate` does beyond the last page


def test_what_a_request_did_not_commit_is_gone_with_it(notes: Callable[..., Notes]) -> None:
    shop = notes()

    def forget(body: dict[str, str]) -> Any:
        shop.db.session.add(shop.model(title=body["title"]))
        shop.db.session.flush()
        raise ValueError("on purpose")

    taken = {"required": True, "content": content(whole(title=TITLE))}
    paths = {"/forgotten": {"post": {"operationId": "forget", "requestBody": taken, "responses": answers(None, 204)}}}
    client = shop.serve(paths, forget=forget)
    shop.app.config["PROPAGATE_EXCEPTIONS"] = False
    problem(client.post("/forgotten", json={"title": "Never"}), 500)
    assert client.post("/notes", json={"title": "Kept"}).status_code == 201
    assert titles(shop) == ["Kept"]


def test_a_statement_changes_what_a_later_session_reads(notes: Callable[..., Notes]) -> None:
    shop = notes()
    client = shop.serve()
    client.post("/notes", json={"title": "Before"})
    assert titles(shop) == ["Before"]
    client.patch("/notes/1", json={"title": "After"})
    assert titles(shop) == ["After"]
