"""The settings of the Django project."""

from peers.people import PRAGMAS, database_url

url = database_url()

SECRET_KEY = "of a benchmark, that listens on 127.0.0.1 only"
ALLOWED_HOSTS = ["127.0.0.1"]
INSTALLED_APPS = ["django_filters", "rest_framework", "peers.drf_people.apps.PeopleConfig"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
ROOT_URLCONF = "peers.drf_people.urls"
USE_TZ = True
TIME_ZONE = "UTC"

# Connections that stay open: https://docs.djangoproject.com/en/stable/ref/databases/#persistent-connections
if url.get_backend_name() == "sqlite":
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": url.database,
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "init_command": "".join(f"PRAGMA {pragma};" for pragma in PRAGMAS),
            },
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": url.database,
            "USER": url.username or "",
            "PASSWORD": url.password or "",
            "HOST": url.host or url.query.get("host", ""),
            "PORT": url.port or "",
            "CONN_MAX_AGE": None,
        }
    }

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
}
