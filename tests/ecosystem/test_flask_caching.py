"""Flask-Caching: cached views of a blueprint and memoized handlers, over rows that statements change."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint
from flask_caching import Cache
from notes import Notes
from small_apis import INTEGER, STRING, answers, whole


def test_a_view_is_cached_until_the_cache_is_cleared(notes: Callable[..., Notes]) -> None:
    shop = notes(CACHE_TYPE="SimpleCache", CACHE_DEFAULT_TIMEOUT=300)
    cache = Cache(shop.app)
    counts = Blueprint("counts", __name__)

    @counts.get("/count")
    @cache.cached()
    def count() -> dict[str, int]:
        return {"notes": shop.db.session.query(shop.model).count()}

    shop.app.register_blueprint(counts)
    client = shop.serve()
    assert client.get("/count").get_json() == {"notes": 0}
    assert client.post("/notes", json={"title": "One"}).status_code == 201
    assert client.get("/count").get_json() == {"notes": 0}
    cache.clear()
    assert client.get("/count").get_json() == {"notes": 1}


def test_a_handler_is_memoized_by_its_arguments(notes: Callable[..., Notes]) -> None:
    shop = notes(CACHE_TYPE="SimpleCache")
    cache = Cache(shop.app)
    calls: list[str] = []

    @cache.memoize(timeout=300)
    def shout(word: str, times: int = 1) -> dict[str, str]:
        calls.append(word)
        return {"text": word.upper() * times}

    paths = {
        "/shout/{word}": {
            "parameters": [
                {"name": "word", "in": "path", "required": True, "schema": STRING},
                {"name": "times", "in": "query", "schema": INTEGER},
            ],
            "get": {"operationId": "shout", "responses": answers(whole(text=STRING))},
        }
    }
    client = shop.serve(paths, shout=shout)
    for _ in range(2):
        assert client.get("/shout/hey").get_json() == {"text": "HEY"}
        assert client.get("/shout/hey?times=2").get_json() == {"text": "HEYHEY"}
    assert calls == ["hey", "hey"]
