"""The one application of the project."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """People."""

    name = "peers.drf_people"
    label = "people"
    default_auto_field = "django.db.models.AutoField"
