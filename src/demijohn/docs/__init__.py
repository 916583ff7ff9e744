"""Swagger UI and the served contract."""

from demijohn.docs.pages import docs_blueprint

__all__ = ["docs_blueprint"]
