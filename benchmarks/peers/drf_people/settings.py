"""The settings of the Django project."""

from peers.django_database import databases

SECRET_KEY = "of a benchmark, that listens on 127.0.0.1 only"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django_filters", "rest_framework", "peers.drf_people.apps.PeopleConfig"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "peers.drf_people.urls"
USE_TZ = True
TIME_ZONE = "UTC"

DATABASES = databases()

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
