"""The type of the fixture `serve`, by which the suites of resources build their applications."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from flask import Flask
from flask.testing import FlaskClient

from demijohn import Demijohn

__all__ = ["Serve"]


class Serve(Protocol):
    """Make the tables of `base`, fill them with `rows`, and serve a contract on them."""

    def __call__(
        self,
        contract: dict[str, Any] | str,
        base: Any,
        *,
        rows: Sequence[tuple[Any, list[dict[str, Any]]]] = (),
        resources: Sequence[Any] | None = None,
        app: Flask | None = None,
        prepare: Callable[[Demijohn], object] | None = None,
        **settings: Any,
    ) -> FlaskClient:
        """Return a client of it; `resources` are what is given to `api.resource`, `base` itself by default.

        `prepare` does something else than that with the extension."""
