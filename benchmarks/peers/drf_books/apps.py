"""The one application of the project."""

from django.apps import AppConfig


class BooksConfig(AppConfig):
    """Books."""

    name = "peers.drf_books"
    label = "books"
    default_auto_field = "django.db.models.AutoField"
